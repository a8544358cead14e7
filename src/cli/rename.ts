/** `bocker rename` */
import { renameContainer } from "../engine/rename.ts";
import type { Command } from "./command.ts";

export const renameCommand: Command = {
  name: "rename",
  usage: "CONTAINER NEW_NAME",
  summary: "Rename a container",
  flags: [],
  words: { least: 2, most: 2 },
  async run(values, engine) {
    const [reference = "", name = ""] = values.positional;
    renameContainer(engine, reference, name.replace(/^\//, ""));
    return 0;
  },
};
