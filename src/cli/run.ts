/** `bocker run` */
import { BockerError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import type { StartOptions } from "../engine/prepare.ts";
import { removeContainer } from "../engine/remove.ts";
import { startContainer } from "../engine/start.ts";
import { isTerminal, windowSize } from "../os/terminal.ts";
import { callerStreams, stayAttached, withTerminal } from "./attached.ts";
import type { Command } from "./command.ts";
import { RUN_FLAGS } from "./container-flags.ts";
import { createFromFlags, requestFromFlags } from "./create-from-flags.ts";
import { checkExplainFormat, printExplanation } from "./explain.ts";
import type { FlagValues } from "./flags.ts";
import { print } from "./output.ts";
import { parseDetachKeys } from "./values.ts";

async function explain(values: FlagValues, engine: Engine, format: string): Promise<number> {
  checkExplainFormat(format);
  const { explainRun } = await import("../engine/explain.ts");
  const request = await requestFromFlags(values, engine);
  return printExplanation(format, await explainRun(engine, request, startOptions(values)));
}

function startOptions(values: FlagValues): StartOptions {
  return {
    disposable: values.bool("rm"),
    terminal: values.bool("tty") ? windowSize(isTerminal(1) ? 1 : 0) : undefined,
    timings: values.bool("timings"),
    detachKeys: parseDetachKeys(values.string("detach-keys")),
  };
}

async function run(values: FlagValues, engine: Engine): Promise<number> {
  const format = values.string("explain");
  if (format !== undefined) return explain(values, engine.dryRun(), format);
  const detach = values.bool("detach");
  const tty = values.bool("tty");
  const stdin = values.bool("interactive") && !detach;
  if (tty && stdin && !isTerminal(0)) throw new BockerError("invalid", "the input device is not a TTY");
  const watch = values.bool("timings") ? new (await import("./timings.ts")).Stopwatch() : undefined;
  watch?.mark("start the process and read the command line");
  const options = { ...startOptions(values), mark: (phase: string) => watch?.mark(phase) };
  const record = await createFromFlags(values, engine);
  watch?.mark("record the container");
  const remove = values.bool("rm");
  try {
    if (detach) {
      const started = await startContainer(engine, record, undefined, options);
      watch?.mark("wait until the program runs");
      started.connection.close();
      print(record.id);
      watch?.print(started.plan, started.times);
      return 0;
    }
    const signals = values.bool("sig-proxy", true) && !tty;
    const { started, ended } = await withTerminal({ tty, stdin, signals }, async (relay) => {
      const started = await startContainer(engine, record, callerStreams({ stdin, tty }), options);
      watch?.mark("wait until the program runs");
      return { started, ended: await stayAttached({ ...started, tty, stdin, relay }) };
    });
    watch?.mark("the program, until its end is heard of");
    if (ended.type === "detached") return ended.code;
    if (remove) await removeContainer(engine, record, { volumes: true });
    if (remove) watch?.mark("remove the container");
    watch?.print(started.plan, started.times);
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
  repair: "boot",
  words: { least: 1 },
  run,
};
