/** `bocker run` */
import { existsSync, writeFileSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import { type CreateRequest, createContainer } from "../engine/create.ts";
import type { Engine } from "../engine/engine.ts";
import { hostImage, requireImage } from "../engine/image.ts";
import type { StartOptions } from "../engine/prepare.ts";
import { removeContainer } from "../engine/remove.ts";
import { startContainer } from "../engine/start.ts";
import { isTerminal, windowSize } from "../os/terminal.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { callerStreams, stayAttached } from "./attached.ts";
import type { Command } from "./command.ts";
import { RUN_FLAGS } from "./container-flags.ts";
import { createRequest } from "./container-options.ts";
import { checkExplainFormat, printExplanation } from "./explain.ts";
import type { FlagValues } from "./flags.ts";
import { print } from "./output.ts";
import { parseDetachKeys } from "./values.ts";

function writeCidFile(path: string | undefined, id: string): void {
  if (path !== undefined) writeFileSync(path, id, { flag: "wx", mode: 0o644 });
}

function checkCidFile(path: string | undefined): void {
  if (path !== undefined && existsSync(path))
    throw new BockerError(
      "conflict",
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
}

function requestFromFlags(values: FlagValues, engine: Engine): CreateRequest {
  const [word = ""] = values.positional;
  const rootfs = values.bool("rootfs") ? word : undefined;
  const request = createRequest(values, rootfs);
  const image =
    rootfs === undefined ? requireImage(engine, word) : { ...hostImage(word), layers: [], config: {} };
  return { ...request, image };
}

/** Records the container that the flags describe. */
export function createFromFlags(values: FlagValues, engine: Engine): ContainerRecord {
  checkCidFile(values.string("cidfile"));
  const record = createContainer(engine, requestFromFlags(values, engine));
  writeCidFile(values.string("cidfile"), record.id);
  return record;
}

async function explain(values: FlagValues, engine: Engine, format: string): Promise<number> {
  checkExplainFormat(format);
  const { explainRun } = await import("../engine/explain.ts");
  const request = requestFromFlags(values, engine);
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
  const record = createFromFlags(values, engine);
  watch?.mark("record the container");
  const remove = values.bool("rm");
  try {
    const streams = detach ? undefined : callerStreams({ stdin, tty });
    const started = await startContainer(engine, record, streams, options);
    watch?.mark("wait until the program runs");
    if (detach) {
      started.connection.close();
      print(record.id);
      watch?.print(started.plan, started.times);
      return 0;
    }
    const ended = await stayAttached({
      ...started,
      tty,
      stdin,
      signals: values.bool("sig-proxy", true) && !tty,
    });
    watch?.mark("the program, until its end is heard of");
    if (ended.type === "detached") return 0;
    if (remove) removeContainer(engine, record);
    if (remove) watch?.mark("remove the container");
    watch?.print(started.plan, started.times);
    return ended.type === "exited" ? ended.code : 125;
  } catch (error) {
    if (remove) removeContainer(engine, record);
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
