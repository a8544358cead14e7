/** `bocker rmi` */
import { removeImage } from "../engine/remove-image.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";

export const rmiCommand: Command = {
  name: "rmi",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Remove one or more images",
  flags: [
    { name: "force", short: "f", kind: "bool", help: "Force removal of the image" },
    { name: "no-prune", kind: "bool", help: "", unsupported: true },
    { name: "platform", kind: "list", help: "", unsupported: true },
  ],
  words: { least: 1 },
  run: (values, engine) =>
    forEachWord(
      values.positional,
      async (reference) =>
        removeImage(engine, reference, values.bool("force"))
          .map((line) => ("untagged" in line ? `Untagged: ${line.untagged}` : `Deleted: ${line.deleted}`))
          .join("\n"),
      values.bool("force"),
    ),
};
