/** `bocker export` */
import { exportContainer } from "../engine/export.ts";
import type { Command } from "./command.ts";
import { outputPath, writeOutput } from "./output-file.ts";

export const exportCommand: Command = {
  name: "export",
  usage: "[OPTIONS] CONTAINER",
  summary: "Export a container's filesystem as a tar archive",
  flags: [{ name: "output", short: "o", kind: "string", help: "Write to a file, instead of STDOUT" }],
  words: { least: 1, most: 1 },
  async run(values, engine) {
    const record = engine.containers.find(values.positional[0]!);
    const path = outputPath(values);
    await writeOutput(path, exportContainer(engine, record));
    return 0;
  },
};
