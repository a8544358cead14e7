/** What drivers say that cannot hold a directory to a size. */
import { BockerError } from "../base/errors.ts";

/** Of `--storage-opt size=` and `volume create -o size=`. */
export function cannotLimit(driver: string): BockerError {
  return new BockerError(
    "unsupported",
    `size= needs the storage driver btrfs, and this data root has ${driver}: "bocker storage pool create" makes one for btrfs`,
  );
}
