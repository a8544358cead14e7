/** `bocker init`: the verb of 2015 under today's names. */
import { importPath } from "../engine/import.ts";
import type { Command } from "./command.ts";
import { interruptible } from "./interruption.ts";
import { print } from "./output.ts";

export const initCommand: Command = {
  name: "init",
  usage: "DIRECTORY|TARBALL [NAME[:TAG]]",
  summary: "Create an image from a directory or a tarball",
  flags: [],
  words: { least: 1, most: 2 },
  async run(values, engine) {
    const [path = "", name] = values.positional;
    const record = await interruptible((signal) =>
      importPath(engine, path, {
        name,
        execution: { Cmd: ["/bin/sh"] },
        message: `Imported from ${path}`,
        signal,
      }),
    );
    print(record.id);
    return 0;
  },
};
