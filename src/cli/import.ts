/** `bocker import` */
import { BockerError } from "../base/errors.ts";
import { applyChanges } from "../engine/changes.ts";
import { type ImportOptions, importPath, importStream } from "../engine/import.ts";
import { standardInput } from "../os/input-chunks.ts";
import { hostPlatform, parsePlatform } from "../registry/platform.ts";
import type { Command } from "./command.ts";
import { interruptible } from "./interruption.ts";
import { print } from "./output.ts";

export const importCommand: Command = {
  name: "import",
  usage: "[OPTIONS] FILE|- [REPOSITORY[:TAG]]",
  summary: "Import the contents from a tarball to create a filesystem image",
  flags: [
    { name: "change", short: "c", kind: "list", help: "Apply Dockerfile instruction to the created image" },
    { name: "message", short: "m", kind: "string", help: "Set commit message for imported image" },
    { name: "platform", kind: "string", help: "Set platform of the image" },
  ],
  words: { least: 1, most: 2 },
  async run(values, engine) {
    const [source = "", name] = values.positional;
    if (/^https?:\/\//.test(source))
      throw new BockerError(
        "unsupported",
        "importing from a URL is not supported yet by bocker: fetch it first, or pipe it into `bocker import -`",
      );
    const platform = values.string("platform");
    const record = await interruptible((signal) => {
      const options: ImportOptions = {
        name,
        execution: applyChanges({}, values.list("change")),
        message: values.string("message") ?? `Imported from ${source}`,
        architecture:
          platform === undefined ? undefined : parsePlatform(platform, hostPlatform()).architecture,
        signal,
      };
      return source === "-"
        ? importStream(engine, standardInput(), options)
        : importPath(engine, source, options);
    });
    print(record.id);
    return 0;
  },
};
