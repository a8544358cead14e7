/** `bocker start` */
import { BockerError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { removeContainer } from "../engine/remove.ts";
import { startContainer } from "../engine/start.ts";
import { isTerminal, windowSize } from "../os/terminal.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { readState } from "../state/status.ts";
import { callerStreams, stayAttached, withTerminal } from "./attached.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";
import type { FlagValues } from "./flags.ts";
import { startDetached } from "./start-detached.ts";
import { parseDetachKeys } from "./values.ts";

async function startAttached(values: FlagValues, engine: Engine, record: ContainerRecord): Promise<number> {
  const { tty, openStdin } = record.config;
  const stdin = values.bool("interactive") && openStdin;
  if (tty && stdin && !isTerminal(0)) throw new BockerError("invalid", "the input device is not a TTY");
  const options = {
    disposable: record.host.autoRemove,
    terminal: tty ? windowSize(isTerminal(1) ? 1 : 0) : undefined,
    timings: false,
    detachKeys: parseDetachKeys(values.string("detach-keys")),
  };
  const signals = values.bool("sig-proxy", true) && !tty;
  const ended = await withTerminal({ tty, stdin, signals }, async (relay) => {
    const started = await startContainer(engine, record, callerStreams({ stdin, tty }), options);
    return stayAttached({ ...started, tty, stdin, relay });
  });
  if (ended.type === "exited" && record.host.autoRemove)
    await removeContainer(engine, record, { volumes: true, monitorDeletes: true });
  if (ended.type === "detached") return ended.code;
  return ended.type === "exited" ? ended.code : 125;
}

export const startCommand: Command = {
  name: "start",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Start one or more stopped containers",
  flags: [
    { name: "attach", short: "a", kind: "bool", help: "Attach STDOUT/STDERR and forward signals" },
    { name: "checkpoint", kind: "string", help: "", unsupported: true },
    { name: "checkpoint-dir", kind: "string", help: "", unsupported: true },
    { name: "detach-keys", kind: "string", help: "Override the key sequence for detaching a\ncontainer" },
    { name: "interactive", short: "i", kind: "bool", help: "Attach container's STDIN" },
    { name: "sig-proxy", kind: "bool", help: "Proxy received signals to the process (default true)" },
  ],
  repair: "boot",
  words: { least: 1 },
  async run(values, engine) {
    const { positional } = values;
    if (values.bool("attach") || values.bool("interactive")) {
      const [word = ""] = positional;
      if (positional.length > 1)
        throw new BockerError("usage", "you cannot start and attach multiple containers at once");
      return startAttached(values, engine, engine.containers.find(word));
    }
    return forEachWord(positional, async (word) => {
      const record = engine.containers.find(word);
      const state = readState(engine.paths, record.id);
      // As in Docker, starting what runs already is no error.
      if (state.status !== "running" || state.paused)
        await startDetached(engine, record, parseDetachKeys(values.string("detach-keys")));
      return word;
    });
  },
};
