/** `bocker version` */

import { LOCAL_ARCHITECTURE } from "../base/architecture.ts";
import { kernelRelease } from "../os/machine.ts";
import { VERSION } from "../version.ts";
import type { Command } from "./command.ts";
import { print } from "./output.ts";

/** The version of Docker's API whose words and meanings bocker follows. */
const API_VERSION = "1.51";

export const versionCommand: Command = {
  name: "version",
  usage: "[OPTIONS]",
  summary: "Show the bocker version information",
  flags: [{ name: "format", short: "f", kind: "string", help: "Format output: 'json' or a Go template" }],
  standalone: true,
  words: { least: 0, most: 0 },
  async run(values) {
    const details = {
      Version: VERSION,
      ApiVersion: API_VERSION,
      Os: "linux",
      Arch: LOCAL_ARCHITECTURE,
      KernelVersion: kernelRelease(),
    };
    // Without a daemon the client is the server, too.
    const document = { Client: details, Server: details };
    const format = values.string("format");
    if (format !== undefined && format !== "") {
      const { formatter } = await import("./documents.ts");
      (await formatter(format))(document);
    } else
      print(
        [
          "Client and engine: bocker (no daemon)",
          ` Version:           ${VERSION}`,
          ` API version:       ${API_VERSION}`,
          ` OS/Arch:           ${details.Os}/${details.Arch}`,
          ` Kernel Version:    ${details.KernelVersion}`,
        ].join("\n"),
      );
    return 0;
  },
};
