/** `volume create`, `rm`, `prune` and `inspect`: volumes that people make and remove themselves. */
import { BockerError } from "../base/errors.ts";
import { NAME_PATTERN, newId } from "../base/ids.ts";
import { exists, makeDirectories, removeTree } from "../os/host-files.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { lock } from "../state/locks.ts";
import { type VolumeRecord, VolumeTable, volumeDirectory, volumeLock } from "../state/volumes.ts";
import { diskUsage } from "./disk-usage.ts";
import { type Engine, timestamp } from "./engine.ts";
import { recordPrune } from "./image-events.ts";
import type { Pruned, PruneOptions } from "./prune.ts";
import { destroyVolumes, ensureVolume } from "./volumes.ts";

/** Throws "invalid" in Docker's words for what is no name of a volume. */
export function checkVolumeName(verb: string, name: string): void {
  if (name.length === 1)
    throw new BockerError(
      "invalid",
      `${verb} ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    );
  if (!NAME_PATTERN.test(name))
    throw new BockerError(
      "invalid",
      `${verb} ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
}

/** Throws "conflict" for a name that a volume has. */
export function requireFreeVolume(engine: Engine, verb: string, name: string): void {
  if (new VolumeTable(engine.database).get(name) !== undefined)
    throw new BockerError("conflict", `${verb} ${name}: there is a volume of this name already`);
}

/**
 * Makes a volume; one of this name that is there already is returned as it is, as Docker does.
 * @param size bytes that it takes at most; throws "unsupported" where the storage driver cannot limit it
 */
export function createVolume(
  engine: Engine,
  name: string | undefined,
  labels: Record<string, string>,
  size?: number,
): VolumeRecord {
  if (name !== undefined) checkVolumeName("create", name);
  engine.ensureDirectories();
  const record: VolumeRecord = {
    name: name ?? newId(),
    created: timestamp(),
    labels,
    anonymous: name === undefined,
    size,
  };
  const held = lock(engine.paths.locks, volumeLock(record.name));
  try {
    if (size !== undefined) makeLimitedVolume(engine, record.name, size);
    ensureVolume(engine, record, false);
    return requireVolume(engine, record.name);
  } finally {
    held.release();
  }
}

/** The directory of a volume that is to be recorded, which takes `size` bytes at most; nothing where the volume is there already. */
function makeLimitedVolume({ driver, paths, database }: Engine, name: string, size: number): void {
  if (new VolumeTable(database).get(name) !== undefined) return;
  const directory = volumeDirectory(paths, name);
  const parent = directory.slice(0, directory.lastIndexOf("/"));
  if (exists(parent))
    throw new BockerError(
      "conflict",
      `create ${name}: ${parent} is there, and belongs to no volume: try again`,
    );
  makeDirectories(parent, 0o701);
  try {
    driver.limitedDirectory(directory, size);
  } catch (error) {
    removeTree(parent);
    throw error;
  }
}

/** Throws "not-found" in Docker's words. */
export function requireVolume(engine: Engine, name: string): VolumeRecord {
  const record = new VolumeTable(engine.database).get(name);
  if (record === undefined) throw new BockerError("not-found", `get ${name}: no such volume`);
  return record;
}

/** The containers, running or not, that have each volume, by its name. */
export function volumeUsers(engine: Engine): Map<string, ContainerRecord[]> {
  const users = new Map<string, ContainerRecord[]>();
  for (const record of engine.containers.list())
    for (const { type, name } of record.mounts)
      if (type === "volume") users.set(name, [...(users.get(name) ?? []), record]);
  return users;
}

/** Removes those that nobody uses, decided and recorded in one transaction; returns their names. */
function removeUnused(engine: Engine, names: readonly string[]): string[] {
  const table = new VolumeTable(engine.database);
  const removed = engine.transaction(() => {
    const users = volumeUsers(engine);
    const free = names.filter((name) => !users.has(name) && table.get(name) !== undefined);
    for (const name of free) table.delete(name);
    return free;
  });
  destroyVolumes(engine.paths, removed);
  return removed;
}

/** Throws "not-found", or "conflict" when a container has it. */
export function removeVolume(engine: Engine, name: string): void {
  requireVolume(engine, name);
  if (removeUnused(engine, [name]).length > 0) return;
  const users = volumeUsers(engine).get(name) ?? [];
  throw new BockerError(
    "conflict",
    `remove ${name}: volume is in use - [${users.map(({ id }) => id).join(", ")}]`,
  );
}

/** Removes volumes that no container has. */
export function pruneVolumes(
  engine: Engine,
  { all, isWanted, dry, gone }: PruneOptions<VolumeRecord>,
): Pruned {
  const isUsed = (users: ContainerRecord[] | undefined) => users?.some(({ id }) => !gone.has(id)) === true;
  const users = volumeUsers(engine);
  const unused = new VolumeTable(engine.database)
    .list()
    .filter((volume) => !isUsed(users.get(volume.name)) && (all || volume.anonymous) && isWanted(volume))
    .map(({ name }) => name);
  const sizes = new Map(unused.map((name) => [name, diskUsage(volumeDirectory(engine.paths, name))]));
  // None that somebody has come to use since.
  const names = dry ? unused : removeUnused(engine, unused);
  const bytes = names.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
  if (!dry) recordPrune(engine, "volume", bytes);
  return { names, bytes };
}
