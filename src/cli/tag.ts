/** `bocker tag` */
import { tagImage } from "../engine/tag.ts";
import type { Command } from "./command.ts";

export const tagCommand: Command = {
  name: "tag",
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
  flags: [],
  words: { least: 2, most: 2 },
  async run(values, engine) {
    const [source = "", target = ""] = values.positional;
    tagImage(engine, source, target);
    return 0;
  },
};
