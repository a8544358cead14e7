/** `bocker stop` */
import { stopContainer } from "../engine/stop.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";
import { parseSignal } from "./values.ts";

export const stopCommand: Command = {
  name: "stop",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop one or more running containers",
  flags: [
    { name: "signal", short: "s", kind: "string", help: "Signal to send to the container" },
    { name: "timeout", short: "t", kind: "int", help: "Seconds to wait before killing the container" },
    { name: "time", kind: "int", help: "The same as --timeout" },
  ],
  repair: "boot",
  words: { least: 1 },
  run(values, engine) {
    const signal = values.string("signal");
    const timeout = values.int("timeout") ?? values.int("time");
    return forEachWord(values.positional, async (word) => {
      const record = engine.containers.find(word);
      const { config } = record;
      await stopContainer(
        engine,
        record,
        parseSignal(signal ?? config.stopSignal),
        timeout ?? config.stopTimeout,
      );
      return word;
    });
  },
};
