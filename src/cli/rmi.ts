/** `bocker rmi` */
import { platformsOf } from "../engine/kept-index.ts";
import { removeImage } from "../engine/remove-image.ts";
import { removePlatforms } from "../engine/remove-platform.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";
import { platformWords } from "./platforms.ts";

export const rmiCommand: Command = {
  name: "rmi",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Remove one or more images",
  flags: [
    { name: "dry-run", kind: "bool", help: "Print what would be removed, and remove nothing" },
    { name: "force", short: "f", kind: "bool", help: "Force removal of the image" },
    { name: "no-prune", kind: "bool", help: "", unsupported: true },
    {
      name: "platform",
      kind: "list",
      value: "string",
      help: "Remove only the given platforms of an image that is kept with several",
    },
  ],
  words: { least: 1 },
  async run(values, engine) {
    const force = values.bool("force");
    const dry = values.bool("dry-run");
    const platforms = platformsOf(platformWords(values));
    const remove = (reference: string) =>
      platforms.length === 0
        ? removeImage(engine, reference, force, dry)
        : removePlatforms(engine, reference, platforms, force, dry);
    return forEachWord(
      values.positional,
      async (reference) =>
        (await remove(reference))
          .map((line) => ("untagged" in line ? `Untagged: ${line.untagged}` : `Deleted: ${line.deleted}`))
          .join("\n"),
      force,
    );
  },
};
