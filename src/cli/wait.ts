/** `bocker wait` */
import { waitContainer } from "../engine/stop.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";

export const waitCommand: Command = {
  name: "wait",
  usage: "CONTAINER [CONTAINER...]",
  summary: "Block until one or more containers stop, then print their exit codes",
  flags: [],
  repair: "boot",
  words: { least: 1 },
  run: (values, engine) =>
    forEachWord(values.positional, async (word) =>
      String(await waitContainer(engine, engine.containers.find(word))),
    ),
};
