/** `bocker storage pool create|rm` */
import { checkPoolRemovable, removeStoragePool } from "../engine/storage-pool.ts";
import { createPool } from "../storage/pool.ts";
import type { Command } from "./command.ts";
import { confirmed } from "./confirm.ts";
import { print } from "./output.ts";
import { parseSize } from "./values.ts";

const DEFAULT_SIZE = "20G";

export const storagePoolCreateCommand: Command = {
  name: "storage pool create",
  usage: "[OPTIONS]",
  summary: "Make a btrfs in a file and keep everything on it: snapshots on any filesystem",
  flags: [
    { name: "file", kind: "string", help: 'The file (default: the data root with ".btrfs" behind it)' },
    {
      name: "size",
      kind: "string",
      value: "bytes",
      help: `How large it may become (default ${DEFAULT_SIZE})`,
    },
  ],
  repair: "none",
  words: { least: 0, most: 0 },
  async run(values, engine) {
    const { data } = engine.paths;
    const named = values.string("file");
    const file = named === undefined ? `${data}.btrfs` : process.getBuiltinModule("node:path").resolve(named);
    createPool(data, file, parseSize(values.string("size") ?? DEFAULT_SIZE));
    print(file);
    return 0;
  },
};

export const storagePoolRemoveCommand: Command = {
  name: "storage pool rm",
  usage: "[OPTIONS]",
  summary: "Remove the pool with all images, containers and volumes in it",
  flags: [
    { name: "dry-run", kind: "bool", help: "Print what would be removed, and remove nothing" },
    { name: "force", short: "f", kind: "bool", help: "Do not prompt for confirmation" },
  ],
  repair: "none",
  words: { least: 0, most: 0 },
  async run(values, engine) {
    if (values.bool("dry-run")) {
      print(checkPoolRemovable(engine));
      return 0;
    }
    const question = `WARNING! This will remove everything below ${engine.paths.data}: images, containers and volumes.`;
    if (!values.bool("force") && !confirmed(question)) return 0;
    print(removeStoragePool(engine));
    return 0;
  },
};
