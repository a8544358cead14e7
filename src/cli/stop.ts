/** `bocker stop` */
import type { Engine } from "../engine/engine.ts";
import { stopContainer } from "../engine/stop.ts";
import type { ContainerRecord } from "../spec/container.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";
import type { FlagValues } from "./flags.ts";
import { parseSignal } from "./values.ts";

/** How a container is stopped: of `stop` and `restart`. */
export const STOP_FLAGS: Command["flags"] = [
  { name: "signal", short: "s", kind: "string", help: "Signal to send to the container" },
  { name: "timeout", short: "t", kind: "int", help: "Seconds to wait before killing the container" },
  { name: "time", kind: "int", help: "The same as --timeout" },
];

/** Stops it as STOP_FLAGS say, or as was said when it was created. */
export function stopAsAsked(values: FlagValues, engine: Engine, record: ContainerRecord): Promise<void> {
  const { stopSignal, stopTimeout } = record.config;
  const signal = parseSignal(values.string("signal") ?? stopSignal);
  return stopContainer(engine, record, signal, values.int("timeout") ?? values.int("time") ?? stopTimeout);
}

export const stopCommand: Command = {
  name: "stop",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop one or more running containers",
  flags: STOP_FLAGS,
  repair: "boot",
  words: { least: 1 },
  run(values, engine) {
    return forEachWord(values.positional, async (word) => {
      await stopAsAsked(values, engine, engine.containers.find(word));
      return word;
    });
  },
};
