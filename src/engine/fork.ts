/** `fork`: a container's files, as they are now, become those of new containers with the same settings. */
import { BockerError } from "../base/errors.ts";
import { newId, shortId } from "../base/ids.ts";
import { makeDirectory, setMode, syncDirectory, syncFilesystem } from "../os/host-files.ts";
import type { ContainerRecord, MountPoint, PortBinding } from "../spec/container.ts";
import { lock } from "../state/locks.ts";
import { containerPaths, containerRoot } from "../state/paths.ts";
import { readState } from "../state/status.ts";
import { VolumeTable, volumeDirectory, volumeLock } from "../state/volumes.ts";
import { recordContainerEvents } from "./container-events.ts";
import { lockContainer } from "./container-lock.ts";
import { carryOutCopy } from "./copying.ts";
import { discardUnrecorded } from "./create.ts";
import { type Engine, timestamp } from "./engine.ts";
import { frozen } from "./freeze.ts";
import { checkName } from "./record.ts";
import { StagedVolume } from "./staged-volume.ts";
import { recordVolumeEvents, requireVolumes } from "./volumes.ts";

export interface ForkOptions {
  /** One for each new container; an empty one is given later. */
  names: readonly string[];
  /** Stop the container's processes while its files are copied. */
  pause: boolean;
  signal?: AbortSignal | undefined;
}

/** A container that is being made. */
interface Fork {
  record: ContainerRecord;
  /** Volumes that go with the container that is forked, and the names of this one's copies. */
  volumes: { from: string; to: string }[];
  /** The copies, by the name of what they were copied from. */
  copies: Map<string, StagedVolume>;
}

/** As many digits of an id choose its lock. */
const LOCK_DIGITS = 2;

/** An id whose lock is the other's: whoever holds that of the container holds those of its forks, too. */
function idLike(id: string): string {
  return id.slice(0, LOCK_DIGITS) + newId().slice(LOCK_DIGITS);
}

/** Two containers cannot have one port: a port that was fixed becomes a free one. In a range there may be another. */
function freePort(port: PortBinding): PortBinding {
  return port.hostPortFirst === port.hostPortLast ? { ...port, hostPortFirst: 0, hostPortLast: 0 } : port;
}

/** Does the volume go with this container? */
function isOwn(engine: Engine, id: string, { type, name }: MountPoint): boolean {
  if (type !== "volume") return false;
  const volume = new VolumeTable(engine.database).get(name);
  return volume?.anonymous === true && volume.owner === id;
}

function forkOf(engine: Engine, original: ContainerRecord, name: string): Fork {
  const id = idLike(original.id);
  const volumes: Fork["volumes"] = [];
  const mounts = original.mounts.map((mount) => {
    if (!isOwn(engine, original.id, mount)) return mount;
    const to = newId();
    volumes.push({ from: mount.name, to });
    return { ...mount, name: to, source: volumeDirectory(engine.paths, to) };
  });
  const { config, host } = original;
  const hostname = config.hostname === shortId(original.id) ? shortId(id) : config.hostname;
  const record: ContainerRecord = {
    ...original,
    id,
    name,
    created: timestamp(),
    config: { ...config, hostname },
    host: { ...host, ports: host.ports.map(freePort) },
    mounts,
    attachment: undefined,
  };
  return { record, volumes, copies: new Map() };
}

/** Copies a container's files and its own volumes, whose files are where `sourceOf` says. */
async function copyFiles(
  engine: Engine,
  original: ContainerRecord,
  { record, volumes, copies }: Fork,
  sourceOf: (volume: string) => string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { driver, paths } = engine;
  const { directory } = containerPaths(paths, record.id);
  makeDirectory(directory, 0o710);
  setMode(directory, 0o710);
  const { storageSize } = record.host;
  await carryOutCopy(
    driver.copyRoot(containerRoot(paths, original), containerRoot(paths, record), storageSize),
    signal,
  );
  for (const { from } of volumes) {
    const staged = new StagedVolume(paths);
    copies.set(from, staged);
    await carryOutCopy(driver.copyDirectory(sourceOf(from), staged.files, undefined), signal);
  }
}

/** The container's files once, while it is still; the others are copies of the first, while it goes on. */
async function copyAll(
  engine: Engine,
  original: ContainerRecord,
  forks: readonly Fork[],
  { pause, signal }: ForkOptions,
): Promise<void> {
  const [first, ...others] = forks;
  if (first === undefined) return;
  const copy = () =>
    copyFiles(engine, original, first, (volume) => volumeDirectory(engine.paths, volume), signal);
  const running = readState(engine.paths, original.id).status === "running";
  await (running && pause ? frozen(engine, original, copy) : copy());
  for (const other of others)
    await copyFiles(engine, first.record, other, (volume) => first.copies.get(volume)!.files, signal);
}

/** R2, R5: what records name is on the disk before them. */
function syncFiles({ paths }: Engine, forks: readonly Fork[]): void {
  syncFilesystem(paths.containers);
  for (const { record } of forks) syncDirectory(containerPaths(paths, record.id).directory);
  syncDirectory(paths.containers);
  if (forks.some(({ volumes }) => volumes.length > 0)) syncFilesystem(paths.volumes);
}

/** Gives the copies of volumes their names. Until their container is recorded, they are a crash's. */
function placeVolumes(engine: Engine, { record, volumes, copies }: Fork): void {
  const table = new VolumeTable(engine.database);
  for (const { from, to } of volumes) {
    const held = lock(engine.paths.locks, volumeLock(to));
    try {
      copies.get(from)!.place(to);
      const volume = { name: to, created: timestamp(), labels: {}, anonymous: true, owner: record.id };
      engine.transaction(() => table.insert(volume));
      recordVolumeEvents(engine.paths, "create", [to]);
    } finally {
      held.release();
    }
  }
}

/** All or none: their files, then their volumes, then their records. The caller holds the container's lock. */
async function makeForks(
  engine: Engine,
  original: ContainerRecord,
  forks: readonly Fork[],
  options: ForkOptions,
): Promise<ContainerRecord[]> {
  try {
    await copyAll(engine, original, forks, options);
    syncFiles(engine, forks);
    for (const fork of forks) placeVolumes(engine, fork);
    engine.transaction(() => {
      for (const { record } of forks) {
        requireVolumes(engine, record);
        engine.containers.insert(record);
      }
    });
    for (const { record } of forks) recordContainerEvents(engine, record, "create");
    return forks.map(({ record }) => record);
  } catch (error) {
    for (const { record } of forks) discardUnrecorded(engine, record);
    throw error;
  } finally {
    for (const { copies } of forks) for (const staged of copies.values()) staged.discard();
  }
}

/**
 * Makes new containers of one: the same image and settings, its files as they are now, its own volumes copied. None of them
 * has been started.
 * @throws BockerError "unsupported" for a container of --rootfs, "conflict" for a name in use
 */
export async function forkContainer(
  engine: Engine,
  container: ContainerRecord,
  options: ForkOptions,
): Promise<ContainerRecord[]> {
  if (container.host.rootfs !== undefined)
    throw new BockerError(
      "unsupported",
      "a container of --rootfs cannot be forked: its files are those of a directory of the host",
    );
  for (const name of options.names) {
    checkName(name);
    // Before anything is copied.
    if (name !== "") engine.containers.requireFree(name);
  }
  engine.ensureDirectories();
  const held = lockContainer(engine, container);
  try {
    const original = engine.containers.find(container.id);
    const forks = options.names.map((name) => forkOf(engine, original, name));
    return await makeForks(engine, original, forks, options);
  } finally {
    held.release();
  }
}
