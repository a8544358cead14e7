/** `bocker kill` */
import { signalContainer } from "../engine/stop.ts";
import { SIGKILL } from "../os/constants.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";
import { parseSignal } from "./values.ts";

export const killCommand: Command = {
  name: "kill",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Kill one or more running containers",
  flags: [{ name: "signal", short: "s", kind: "string", help: "Signal to send to the container" }],
  repair: "boot",
  words: { least: 1 },
  run(values, engine) {
    const signal = parseSignal(values.string("signal") ?? "KILL");
    return forEachWord(values.positional, async (word) => {
      const record = engine.containers.find(word);
      const ends = signal === SIGKILL || signal === parseSignal(record.config.stopSignal);
      await signalContainer(engine, record, signal, ends);
      return word;
    });
  },
};
