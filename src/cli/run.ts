/** `bocker run` */
import { BockerError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { removeContainer } from "../engine/remove.ts";
import { runContainer } from "../engine/run.ts";
import type { StartOptions } from "../engine/start-source.ts";
import { isTerminal, windowSize } from "../os/terminal.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { callerStreams, stayAttached, withTerminal } from "./attached.ts";
import type { Command } from "./command.ts";
import { RUN_FLAGS } from "./container-flags.ts";
import { checkCidFile, requestFromFlags, writeCidFile } from "./create-from-flags.ts";
import { checkExplainFormat, printExplanation } from "./explain.ts";
import type { FlagValues } from "./flags.ts";
import { print } from "./output.ts";
import { parseDetachKeys } from "./values.ts";

const RUNNING = "wait until the program runs";

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
  const timings = values.bool("timings") ? await import("./timings.ts") : undefined;
  if (timings?.isTimed() === false) return timings.runTimed();
  const watch = timings === undefined ? undefined : new timings.Stopwatch();
  watch?.mark("start the runtime, load what run needs");
  const options = { ...startOptions(values), mark: (phase: string) => watch?.mark(phase) };
  const cidfile = values.string("cidfile");
  checkCidFile(cidfile);
  const request = await requestFromFlags(values, engine);
  watch?.mark("read the flags, find the image");
  const remove = values.bool("rm");
  let record: ContainerRecord | undefined;
  const recorded = (made: ContainerRecord) => {
    record = made;
    writeCidFile(cidfile, made.id);
  };
  try {
    if (detach) {
      const started = await runContainer(engine, request, undefined, options, recorded);
      watch?.mark(RUNNING);
      started.connection.close();
      print(record!.id);
      await watch?.tell(started.plan, started.times);
      return 0;
    }
    const signals = values.bool("sig-proxy", true) && !tty;
    const { started, ended } = await withTerminal({ tty, stdin, signals }, async (relay) => {
      const streams = callerStreams({ stdin, tty });
      const started = await runContainer(engine, request, streams, options, recorded);
      watch?.mark(RUNNING);
      if (relay !== undefined && record?.host.restart !== undefined)
        (await import("./end-restarts.ts")).endRestartsBy(relay, engine, record);
      return { started, ended: await stayAttached({ ...started, tty, stdin, relay }) };
    });
    watch?.mark("the program, until its end is heard of");
    if (ended.type === "detached") return ended.code;
    // The monitor waits until we have hung up, and deletes then what was moved out of the way.
    if (remove) await removeContainer(engine, record!, { volumes: true, monitorDeletes: true });
    if (remove) watch?.mark("remove the container");
    await watch?.tell(started.plan, started.times);
    return ended.type === "exited" ? ended.code : 125;
  } catch (error) {
    if (remove && record !== undefined) await removeContainer(engine, record, { volumes: true });
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
