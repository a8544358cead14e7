/** `bocker diff` */
import { BockerError } from "../base/errors.ts";
import { openChanges } from "../engine/container-changes.ts";
import type { Command } from "./command.ts";
import { print, visible } from "./output.ts";

export const diffCommand: Command = {
  name: "diff",
  usage: "CONTAINER",
  summary: "Inspect changes to files or directories on a container's filesystem",
  flags: [],
  words: { least: 1, most: 1 },
  async run(values, engine) {
    const record = engine.containers.find(values.positional[0]!);
    if (record.host.rootfs !== undefined)
      throw new BockerError(
        "unsupported",
        "nobody knows what a container of --rootfs has changed: it works on the directory itself",
      );
    const changes = openChanges(engine, record);
    try {
      for (const { kind, path } of changes.list()) print(`${kind} /${visible(path.toString())}`);
    } finally {
      changes.close();
    }
    return 0;
  },
};
