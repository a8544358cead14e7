/** Volumes as containers need them: made when first named, filled from the image, removed with their container. */

import { BockerError } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import { exists, makeDirectories, setMode, syncDirectory, syncFilesystem } from "../os/host-files.ts";
import type { ContainerRecord, MountPoint } from "../spec/container.ts";
import { recordEvents } from "../state/events.ts";
import { lock } from "../state/locks.ts";
import type { Paths } from "../state/paths.ts";
import { deleteDiscarded, discard } from "../state/trash.ts";
import { snapshotOf, type VolumeRecord, VolumeTable, volumeDirectory, volumeLock } from "../state/volumes.ts";
import { type Engine, timestamp } from "./engine.ts";

/** Says that volumes were made or removed. */
export function recordVolumeEvents(
  paths: Paths,
  action: "create" | "destroy",
  names: readonly string[],
): void {
  recordEvents(
    paths,
    names.map((id) => ({ type: "volume", action, id, attributes: { driver: "local" } })),
  );
}

/**
 * Makes and records the volume if it is missing; its directory either way. Call it under the volume's lock.
 * @param passing it goes with a container that is not on the disk either
 */
export function ensureVolume(engine: Engine, record: VolumeRecord, passing: boolean): string {
  const { name } = record;
  const { volumes } = engine.paths;
  const table = new VolumeTable(engine.database);
  const directory = volumeDirectory(engine.paths, name);
  const known = table.get(name);
  // A directory of this name would decide it (volume-rename.ts).
  if (known?.rename !== undefined)
    throw new BockerError("conflict", `the volume ${name} is being renamed: try again`);
  if (known !== undefined) {
    makeDirectories(directory, 0o701);
    return directory;
  }
  const parent = `${volumes}/${name}`;
  makeDirectories(parent, 0o701);
  // A passing one is copied by nobody.
  if (!passing && !exists(directory)) engine.driver.emptyDirectory(directory);
  makeDirectories(directory, 0o701);
  setMode(directory, 0o755);
  // R2, R4: a volume of which only the record is left has lost its files, and a directory without one is removed.
  if (!passing) for (const path of [parent, volumes]) syncDirectory(path);
  engine.transaction(() => table.insert(record), { passing });
  recordVolumeEvents(engine.paths, "create", [name]);
  return directory;
}

/** The mounts with every volume named and in its place; those that the image declares are added. Makes nothing. */
export function placedVolumes(paths: Paths, mounts: MountPoint[], declared: string[]): MountPoint[] {
  const taken = new Set(mounts.map(({ destination }) => destination));
  const implied = declared
    .filter((destination) => destination.startsWith("/") && !taken.has(destination))
    .map(
      (destination): MountPoint => ({
        type: "volume",
        name: "",
        source: "",
        destination,
        readOnly: false,
        options: [],
        propagation: "",
      }),
    );
  return [...mounts, ...implied].map((mount) => {
    if (mount.type !== "volume") return mount;
    const name = mount.name === "" ? newId() : mount.name;
    return { ...mount, name, source: volumeDirectory(paths, name) };
  });
}

function isSnapshot(engine: Engine, name: string): boolean {
  const volume = new VolumeTable(engine.database).get(name);
  return volume !== undefined && snapshotOf(volume) !== undefined;
}

/** Snapshots stay as they are: containers may only read them. */
export function protectSnapshots(engine: Engine, mounts: MountPoint[]): void {
  for (const mount of mounts)
    if (mount.type === "volume" && isSnapshot(engine, mount.name)) mount.readOnly = true;
}

/** Somebody may have removed or renamed a container's volume since it was made: throws "conflict". Call it in the transaction that records it. */
export function requireVolumes(engine: Engine, record: ContainerRecord): void {
  const volumes = new VolumeTable(engine.database);
  for (const { type, name } of record.mounts)
    if (type === "volume" && volumes.get(name) === undefined)
      throw new BockerError("conflict", `the volume ${name} has been removed or renamed meanwhile`);
}

/** The host image has bocker's own data in it: a volume that was filled with that would be filled with itself. */
function holdsVolumes({ data }: Paths, layers: string[], destination: string): boolean {
  const within = (inner: string, outer: string) => `${inner}/`.startsWith(`${outer}/`);
  return layers.includes("/") && (within(data, destination) || within(destination, data));
}

/** Ends a rename of the volume that was cut off. Call it under the lock of volumes. */
async function settleRename(engine: Engine, name: string): Promise<void> {
  const rename = new VolumeTable(engine.database).get(name)?.rename;
  if (rename !== undefined) (await import("./settle-rename.ts")).endRename(engine, rename);
}

/**
 * Makes and fills a container's volumes. Those not in `named` are its own and go with it.
 * @param passing the container need not be on the disk, nor what goes with it
 */
export async function makeVolumes(
  engine: Engine,
  record: ContainerRecord,
  named: ReadonlySet<string>,
  passing: boolean,
): Promise<void> {
  const mine = record.mounts.filter(({ type }) => type === "volume");
  if (mine.length === 0) return;
  const { fillFromImage } = await import("./fill-volume.ts");
  for (const { name, destination } of mine) {
    const held = lock(engine.paths.locks, volumeLock(name));
    try {
      const owner = named.has(name) ? undefined : record.id;
      const anonymous = owner !== undefined;
      const volume = { name, created: timestamp(), labels: {}, anonymous, owner };
      const isPassing = passing && anonymous;
      await settleRename(engine, name);
      const directory = ensureVolume(engine, volume, isPassing);
      if (holdsVolumes(engine.paths, record.layers, destination) || isSnapshot(engine, name)) continue;
      const filled = fillFromImage(record.layers, destination, directory);
      // R5: once for all files; a volume that is not empty is never filled again.
      if (filled && !isPassing) syncFilesystem(directory);
    } finally {
      held.release();
    }
  }
}

/**
 * Takes a container's anonymous volumes out of the records, those that no other container uses; with `keep` they
 * only lose their owner. Call it in the transaction that deletes the container, and pass what is returned to
 * `destroyVolumes` after it.
 */
export function forgetVolumes(engine: Engine, record: ContainerRecord, keep: boolean): string[] {
  const mine = record.mounts.filter(({ type }) => type === "volume").map(({ name }) => name);
  if (mine.length === 0) return [];
  const volumes = new VolumeTable(engine.database);
  const used = new Set(
    engine.containers
      .list()
      .flatMap(({ id, mounts }) => (id === record.id ? [] : mounts.map(({ name }) => name))),
  );
  const forgotten: string[] = [];
  for (const name of mine) {
    const volume = volumes.get(name);
    if (volume?.anonymous !== true) continue;
    if (keep || used.has(name)) volumes.update({ ...volume, owner: undefined });
    else {
      volumes.delete(name);
      forgotten.push(name);
    }
  }
  return forgotten;
}

/** Ends volumes whose records are gone. */
export function destroyVolumes(paths: Paths, names: string[]): void {
  discardVolumes(paths, names);
  recordVolumeEvents(paths, "destroy", names);
}

/** Removes the files of volumes that no record names any more. */
export function discardVolumes(paths: Paths, names: string[]): void {
  for (const name of names)
    if (discard(paths, `${paths.volumes}/${name}`, `volume-${name}`))
      deleteDiscarded(paths, `volume-${name}`);
}
