/** `bocker volume clone|snapshot|rollback|rename` */
import { checkRollback, cloneVolume, rollbackVolume, snapshotVolume } from "../engine/volume-copies.ts";
import { renameVolume } from "../engine/volume-rename.ts";
import type { Command } from "./command.ts";
import { interruptible } from "./interruption.ts";
import { print } from "./output.ts";

export const volumeCloneCommand: Command = {
  name: "volume clone",
  usage: "VOLUME NEW",
  summary: "Create a volume with a copy of what is in another",
  flags: [],
  words: { least: 2, most: 2 },
  async run(values, engine) {
    const [from = "", to = ""] = values.positional;
    print((await interruptible((signal) => cloneVolume(engine, from, to, signal))).name);
    return 0;
  },
};

export const volumeSnapshotCommand: Command = {
  name: "volume snapshot",
  usage: "VOLUME [NAME]",
  summary: "Keep what is in a volume now, as a read-only volume (VOLUME.1 and so on)",
  flags: [],
  words: { least: 1, most: 2 },
  async run(values, engine) {
    const [volume = "", name] = values.positional;
    print((await interruptible((signal) => snapshotVolume(engine, volume, name, signal))).name);
    return 0;
  },
};

export const volumeRollbackCommand: Command = {
  name: "volume rollback",
  usage: "[OPTIONS] VOLUME SNAPSHOT",
  summary: "Give a volume the contents of one of its snapshots again; what it has now is lost",
  flags: [{ name: "dry-run", kind: "bool", help: "Only check that it could be done, and change nothing" }],
  words: { least: 2, most: 2 },
  async run(values, engine) {
    const [volume = "", snapshot = ""] = values.positional;
    if (values.bool("dry-run")) {
      checkRollback(engine, volume, snapshot);
      print(`Would replace the contents of ${volume} by those of ${snapshot}`);
      return 0;
    }
    await interruptible((signal) => rollbackVolume(engine, volume, snapshot, signal));
    print(volume);
    return 0;
  },
};

export const volumeRenameCommand: Command = {
  name: "volume rename",
  usage: "VOLUME NEW",
  summary: "Rename a volume that no container has",
  flags: [],
  words: { least: 2, most: 2 },
  async run(values, engine) {
    const [from = "", to = ""] = values.positional;
    renameVolume(engine, from, to);
    print(to);
    return 0;
  },
};
