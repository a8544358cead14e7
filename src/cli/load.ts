/** `bocker load` */
import { BockerError } from "../base/errors.ts";
import { loadImages } from "../engine/load.ts";
import { inputChunks, standardInput } from "../os/input-chunks.ts";
import { isTerminal } from "../os/terminal.ts";
import type { Command } from "./command.ts";
import { interruptible } from "./interruption.ts";
import { print, visible } from "./output.ts";
import { platformWords } from "./platforms.ts";

/** The archive: a file, or what is piped in. */
function archiveOf(path: string | undefined): AsyncIterable<Uint8Array> {
  if (path !== undefined) return inputChunks(path);
  if (isTerminal(0))
    throw new BockerError("invalid", "requested load from stdin, but stdin is empty: use -i FILE or a pipe");
  return standardInput();
}

export const loadCommand: Command = {
  name: "load",
  usage: "[OPTIONS]",
  summary: "Load an image from a tar archive or STDIN",
  flags: [
    { name: "input", short: "i", kind: "string", help: "Read from tar archive file, instead of STDIN" },
    {
      name: "platform",
      kind: "list",
      value: "string",
      help: "Load only the given platforms of an archive that has several",
    },
    { name: "quiet", short: "q", kind: "bool", help: "Suppress the load output" },
  ],
  words: { least: 0, most: 0 },
  async run(values, engine) {
    const path = values.string("input");
    await interruptible(async (signal) => {
      const options = { platforms: platformWords(values), signal };
      try {
        for await (const { record, names, taken } of loadImages(engine, archiveOf(path), options)) {
          for (const { name, id } of taken)
            print(
              visible(`The image ${name} already exists, renaming the old one with ID ${id} to empty string`),
            );
          for (const name of names) print(visible(`Loaded image: ${name}`));
          if (names.length === 0) print(`Loaded image ID: ${record.id}`);
        }
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ENOENT" || code === "EISDIR")
          throw new BockerError(
            "not-found",
            `open ${path}: ${code === "ENOENT" ? "no such file or directory" : "is a directory"}`,
          );
        throw error;
      }
    });
    return 0;
  },
};
