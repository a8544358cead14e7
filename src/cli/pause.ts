/** `bocker pause` and `bocker unpause` */
import { pauseContainer, unpauseContainer } from "../engine/pause.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";

export const pauseCommand: Command = {
  name: "pause",
  usage: "CONTAINER [CONTAINER...]",
  summary: "Pause all processes within one or more containers",
  flags: [],
  repair: "boot",
  words: { least: 1 },
  run(values, engine) {
    return forEachWord(values.positional, async (word) => {
      await pauseContainer(engine, engine.containers.find(word));
      return word;
    });
  },
};

export const unpauseCommand: Command = {
  name: "unpause",
  usage: "CONTAINER [CONTAINER...]",
  summary: "Unpause all processes within one or more containers",
  flags: [],
  repair: "boot",
  words: { least: 1 },
  run(values, engine) {
    return forEachWord(values.positional, async (word) => {
      unpauseContainer(engine, engine.containers.find(word));
      return word;
    });
  },
};
