/** `bocker save` */
import { platformsOf } from "../engine/kept-index.ts";
import { saveImages } from "../engine/save.ts";
import type { Command } from "./command.ts";
import { outputPath, writeOutput } from "./output-file.ts";
import { platformWords } from "./platforms.ts";

export const saveCommand: Command = {
  name: "save",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
  flags: [
    { name: "output", short: "o", kind: "string", help: "Write to a file, instead of STDOUT" },
    { name: "platform", kind: "list", value: "string", help: "Save these platforms only, or refuse" },
  ],
  words: { least: 1 },
  async run(values, engine) {
    const path = outputPath(values);
    const platforms = platformsOf(platformWords(values));
    await writeOutput(path, await saveImages(engine, values.positional, platforms));
    return 0;
  },
};
