/** `bocker run` */
import { BockerError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { removeContainer } from "../engine/remove.ts";
import { startContainer } from "../engine/start.ts";
import { isTerminal, windowSize } from "../os/terminal.ts";
import { callerStreams, stayAttached } from "./attached.ts";
import type { Command } from "./command.ts";
import { RUN_FLAGS } from "./container-flags.ts";
import { createFromFlags } from "./create-from-flags.ts";
import type { FlagValues } from "./flags.ts";
import { print } from "./output.ts";
import { parseDetachKeys } from "./values.ts";

async function run(values: FlagValues, engine: Engine): Promise<number> {
  const detach = values.bool("detach");
  const tty = values.bool("tty");
  const stdin = values.bool("interactive") && !detach;
  if (tty && stdin && !isTerminal(0)) throw new BockerError("invalid", "the input device is not a TTY");
  const detachKeys = parseDetachKeys(values.string("detach-keys"));
  const record = await createFromFlags(values, engine);
  const remove = values.bool("rm");
  try {
    const started = await startContainer(engine, record, detach ? undefined : callerStreams({ stdin, tty }), {
      disposable: remove,
      terminal: tty ? windowSize(isTerminal(1) ? 1 : 0) : undefined,
      timings: values.bool("timings"),
      detachKeys,
    });
    if (detach) {
      started.connection.close();
      print(record.id);
      return 0;
    }
    const ended = await stayAttached({
      ...started,
      tty,
      stdin,
      signals: values.bool("sig-proxy", true) && !tty,
    });
    if (ended.type === "detached") return 0;
    if (remove) await removeContainer(engine, record, { volumes: true });
    return ended.type === "exited" ? ended.code : 125;
  } catch (error) {
    if (remove) await removeContainer(engine, record, { volumes: true });
    throw error;
  }
}

export const runCommand: Command = {
  name: "run",
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create and run a new container from an image",
  flags: RUN_FLAGS,
  interspersed: false,
  words: { least: 1 },
  run,
};
