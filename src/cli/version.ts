/** `bocker version` */

import { LOCAL_ARCHITECTURE } from "../base/architecture.ts";
import { kernelRelease } from "../os/machine.ts";
import { API_VERSION } from "../spec/api-version.ts";
import { VERSION } from "../version.ts";
import type { Command } from "./command.ts";
import { print } from "./output.ts";

export const versionCommand: Command = {
  name: "version",
  usage: "[OPTIONS]",
  summary: "Show the bocker version information",
  flags: [{ name: "format", short: "f", kind: "string", help: "Format output: 'json' or a Go template" }],
  standalone: true,
  words: { least: 0, most: 0 },
  async run(values) {
    const format = values.string("format");
    if (format !== undefined && format !== "") {
      const { printDocument } = await import("./documents.ts");
      const { VERSION_ZEROS, versionDocument } = await import("./version-document.ts");
      await printDocument(versionDocument(), VERSION_ZEROS, format);
    } else
      print(
        [
          "Client and engine: bocker (no daemon)",
          ` Version:           ${VERSION}`,
          ` API version:       ${API_VERSION}`,
          ` OS/Arch:           linux/${LOCAL_ARCHITECTURE}`,
          ` Kernel Version:    ${kernelRelease()}`,
        ].join("\n"),
      );
    return 0;
  },
};
