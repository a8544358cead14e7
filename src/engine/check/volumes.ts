/** Volumes of containers that were never recorded, and directories without a volume. */
import { shortId } from "../../base/ids.ts";
import { exists } from "../../os/host-files.ts";
import { VolumeTable, volumeDirectory, volumeLock } from "../../state/volumes.ts";
import type { Engine } from "../engine.ts";
import { endRename } from "../settle-rename.ts";
import { isStaged } from "../staged-volume.ts";
import { destroyVolumes, discardVolumes } from "../volumes.ts";
import { entries, type Finding, unlessLocked } from "./finding.ts";

/** Anonymous volumes whose container was never recorded: a crash in the middle of create. */
export function checkOwnedVolumes(engine: Engine): Finding[] {
  const volumes = new VolumeTable(engine.database);
  return volumes.list().flatMap(({ name, owner }): Finding[] => {
    const isUnfinished = () => owner !== undefined && engine.containers.get(owner) === undefined;
    if (owner === undefined || unlessLocked(engine, owner, isUnfinished) !== true) return [];
    const mend = () => {
      unlessLocked(engine, owner, () => {
        if (!isUnfinished()) return;
        volumes.delete(name);
        destroyVolumes(engine.paths, [name]);
      });
      return "it is removed";
    };
    return [
      { subject: `volume ${shortId(name)}`, problem: "was made for a container that never came to be", mend },
    ];
  });
}

/** A directory is made before its record, and goes after it. */
export function checkVolumeDirectories(engine: Engine): Finding[] {
  const volumes = new VolumeTable(engine.database);
  const isStray = (name: string) => volumes.get(name) === undefined && !isStaged(engine.paths, name);
  return entries(engine.paths.volumes)
    .filter((name) => isStray(name) && unlessLocked(engine, volumeLock(name), () => isStray(name)) === true)
    .map((name) => ({
      subject: `directory ${engine.paths.volumes}/${name}`,
      problem: "belongs to no volume",
      mend: () => {
        unlessLocked(engine, volumeLock(name), () => {
          if (isStray(name)) discardVolumes(engine.paths, [name]);
        });
        return "it is removed";
      },
      unfinished: true,
    }));
}

/** Volumes of which a rename was cut off: where the files are decides which name each has. */
export function checkRenamedVolumes(engine: Engine): Finding[] {
  const volumes = new VolumeTable(engine.database);
  return volumes.list().flatMap(({ name, rename }): Finding[] => {
    if (rename === undefined) return [];
    const isUnfinished = () => volumes.get(name)?.rename !== undefined;
    // Both records say so; one of them tells.
    const isSecond = name === rename.from && volumes.get(rename.to)?.rename !== undefined;
    if (isSecond || unlessLocked(engine, volumeLock(name), isUnfinished) !== true) return [];
    const end = () => (isUnfinished() ? endRename(engine, rename) : "renamed");
    const mend = () => {
      const ended = unlessLocked(engine, volumeLock(name), end);
      return ended === undefined ? "another command is at work on it" : `it is ${ended}`;
    };
    return [{ subject: `volume ${rename.from}`, problem: `was to be renamed to ${rename.to}`, mend }];
  });
}

/** Volumes without their files. */
export function checkVolumeFiles(engine: Engine): Finding[] {
  return new VolumeTable(engine.database)
    .list()
    .filter(({ name }) => !exists(volumeDirectory(engine.paths, name)))
    .map(({ name }) => ({
      subject: `volume ${name}`,
      problem: "has lost its files",
      advice: "remove it, or bring its files back from a copy",
    }));
}
