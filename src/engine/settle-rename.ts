/** A rename of a volume that was begun is ended, by who began it or by whoever meets it (volume-rename.ts). */
import { exists } from "../os/host-files.ts";
import {
  SNAPSHOT_LABEL,
  snapshotOf,
  type VolumeRename,
  VolumeTable,
  volumeDirectory,
} from "../state/volumes.ts";
import type { Engine } from "./engine.ts";

/** Ends a rename that was begun, forwards or backwards; says which. The caller holds the lock of volumes. */
export function endRename(engine: Engine, { from, to }: VolumeRename): "renamed" | "left as it was" {
  const table = new VolumeTable(engine.database);
  return engine.transaction(() => {
    const [old, renamed] = [table.get(from), table.get(to)];
    const isMoved = exists(volumeDirectory(engine.paths, to));
    if (renamed?.rename !== undefined && isMoved) {
      table.delete(from);
      table.update({ ...renamed, rename: undefined });
      for (const snapshot of table.list())
        if (snapshotOf(snapshot) === from)
          table.update({ ...snapshot, labels: { ...snapshot.labels, [SNAPSHOT_LABEL]: to } });
      return "renamed";
    }
    if (renamed?.rename !== undefined) table.delete(to);
    if (old?.rename !== undefined) table.update({ ...old, rename: undefined });
    return "left as it was";
  });
}
