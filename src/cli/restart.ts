/** `bocker restart` */
import { BockerError } from "../base/errors.ts";
import { recordContainerEvents } from "../engine/container-events.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";
import { startDetached } from "./start-detached.ts";
import { STOP_FLAGS, stopAsAsked } from "./stop.ts";

export const restartCommand: Command = {
  name: "restart",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Restart one or more containers",
  flags: STOP_FLAGS,
  repair: "boot",
  words: { least: 1 },
  run(values, engine) {
    return forEachWord(values.positional, async (word) => {
      const record = engine.containers.find(word);
      if (record.host.autoRemove)
        throw new BockerError(
          "unsupported",
          `cannot restart container ${word}: it is one of --rm, which is removed when it stops`,
        );
      await stopAsAsked(values, engine, record);
      await startDetached(engine, engine.containers.find(record.id));
      recordContainerEvents(engine, record, "restart");
      return word;
    });
  },
};
