/**
 * `volume rename`. Record and directory cannot be renamed at once, so both names have a record first that says so: from then on
 * the place of the files decides which of the two the volume has, whatever happens (endRename).
 */
import { BockerError } from "../base/errors.ts";
import { exists, rename, syncDirectory } from "../os/host-files.ts";
import { recordEvents } from "../state/events.ts";
import { lock } from "../state/locks.ts";
import { VolumeTable, volumeDirectory, volumeLock } from "../state/volumes.ts";
import type { Engine } from "./engine.ts";
import { endRename } from "./settle-rename.ts";
import { checkVolumeName, requireFreeVolume, requireVolume, volumeUsers } from "./volume-commands.ts";

function requireUnused(engine: Engine, name: string): void {
  const users = volumeUsers(engine).get(name);
  if (users !== undefined)
    throw new BockerError(
      "conflict",
      `rename ${name}: volume is in use - [${users.map(({ id }) => id).join(", ")}]`,
    );
}

/** Throws "not-found"; "conflict" when a container, running or not, has the volume, or the name is taken. */
export function renameVolume(engine: Engine, from: string, to: string): void {
  checkVolumeName("rename", to);
  const { volumes } = engine.paths;
  const table = new VolumeTable(engine.database);
  // One lock is that of all volumes.
  const held = lock(engine.paths.locks, volumeLock(from));
  try {
    engine.transaction(() => {
      const record = requireVolume(engine, from);
      requireFreeVolume(engine, "rename", to);
      requireUnused(engine, from);
      const rename = { from, to };
      table.update({ ...record, rename });
      table.insert({ ...record, name: to, anonymous: false, owner: undefined, rename });
    });
    try {
      rename(`${volumes}/${from}`, `${volumes}/${to}`);
      // R2: else a power cut could leave the files under a name that no record has.
      syncDirectory(volumes);
      requireUnused(engine, from);
    } catch (error) {
      if (!exists(volumeDirectory(engine.paths, from)) && exists(volumeDirectory(engine.paths, to)))
        rename(`${volumes}/${to}`, `${volumes}/${from}`);
      endRename(engine, { from, to });
      throw error;
    }
    endRename(engine, { from, to });
    recordEvents(engine.paths, [
      { type: "volume", action: "rename", id: to, attributes: { driver: "local", oldName: from } },
    ]);
  } finally {
    held.release();
  }
}
