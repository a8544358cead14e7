/** `storage pool rm`: a pool goes as a whole, once nothing in it runs. */
import { BockerError } from "../base/errors.ts";
import { readState } from "../state/status.ts";
import { poolFile, removePool } from "../storage/pool.ts";
import type { Engine } from "./engine.ts";

/** The file that it is. Throws "conflict" while containers run, "not-found" where the data root is no pool. */
export function checkPoolRemovable(engine: Engine): string {
  if (engine.storage.keep !== undefined)
    throw new BockerError("not-found", `the data root ${engine.paths.data} is no pool: nothing is there yet`);
  const names = engine.containers
    .list()
    .filter(({ id }) => readState(engine.paths, id).status === "running")
    .map(({ name }) => name);
  if (names.length > 0)
    throw new BockerError(
      "conflict",
      `containers are running in the pool: ${names.join(", ")}; stop them first`,
    );
  return poolFile(engine.paths.data);
}

/** Returns the file that it was. Throws as checkPoolRemovable, and "conflict" when something else of it is in use. */
export function removeStoragePool(engine: Engine): string {
  const file = checkPoolRemovable(engine);
  // The database is open on it.
  engine.close();
  removePool(engine.paths.data, file);
  return file;
}
