/** `volume clone`, `snapshot` and `rollback`: volumes made of others. */
import { setTimeout as delay } from "node:timers/promises";
import { BockerError } from "../base/errors.ts";
import { AT_FDCWD } from "../os/constants.ts";
import { statatIfExists } from "../os/metadata.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { type Lock, lock, tryLockAll } from "../state/locks.ts";
import { readState } from "../state/status.ts";
import {
  SNAPSHOT_LABEL,
  snapshotOf,
  type VolumeRecord,
  VolumeTable,
  volumeDirectory,
  volumeLock,
} from "../state/volumes.ts";
import { carryOutCopy } from "./copying.ts";
import { type Engine, timestamp } from "./engine.ts";
import { allFrozen } from "./freeze.ts";
import { StagedVolume } from "./staged-volume.ts";
import { checkVolumeName, requireFreeVolume, requireVolume, volumeUsers } from "./volume-commands.ts";
import { recordVolumeEvents } from "./volumes.ts";

/** Milliseconds between two looks at locks that others hold. */
const POLL = 20;

/** The locks of the containers that have a volume, under which none of them starts or goes, and who they are. */
interface LockedUsers {
  users: ContainerRecord[];
  locks: Lock[];
}

/** Waits for the locks of all containers that have the volume. Those that come to have it from now on are not among them. */
async function lockUsers(
  engine: Engine,
  name: string,
  signal: AbortSignal | undefined,
): Promise<LockedUsers> {
  const usersNow = () => volumeUsers(engine).get(name) ?? [];
  for (;;) {
    const ids = new Set(usersNow().map(({ id }) => id));
    const locks = tryLockAll(engine.paths.locks, [...ids]);
    if (locks !== undefined) {
      const users = usersNow();
      if (users.every(({ id }) => ids.has(id))) return { users, locks };
      for (const held of locks) held.release();
    }
    await delay(POLL);
    if (signal?.aborted === true) throw new BockerError("interrupted", "interrupted");
  }
}

const isRunning = (engine: Engine, { id }: ContainerRecord) =>
  readState(engine.paths, id).status === "running";

function identityOf(engine: Engine, name: string): string | undefined {
  return statatIfExists(AT_FDCWD, volumeDirectory(engine.paths, name))?.identity;
}

/**
 * Copies what is in a volume while nobody writes to it: the containers that run with it are frozen meanwhile. Throws
 * "conflict" when it was removed, rolled back or taken by another container under the copy's hands.
 */
async function copyVolume(
  engine: Engine,
  source: VolumeRecord,
  staged: StagedVolume,
  limit: number | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { name } = source;
  const { users, locks } = await lockUsers(engine, name, signal);
  try {
    const before = identityOf(engine, name);
    const copy = () =>
      carryOutCopy(
        engine.driver.copyDirectory(volumeDirectory(engine.paths, name), staged.files, limit),
        signal,
      );
    await allFrozen(
      engine,
      users.filter((user) => isRunning(engine, user)),
      copy,
    );
    const known = new Set(users.map(({ id }) => id));
    const others = (volumeUsers(engine).get(name) ?? []).filter(({ id }) => !known.has(id));
    const isSame =
      requireVolume(engine, name).created === source.created && identityOf(engine, name) === before;
    if (!isSame || others.some((user) => isRunning(engine, user)))
      throw new BockerError(
        "conflict",
        `copy ${name}: the volume was changed while it was copied: try again`,
      );
  } finally {
    for (const held of locks) held.release();
  }
}

/** What is to be recorded of a copy: decided when it gets its name, under the lock of volumes. */
type RecordOf = () => VolumeRecord;

async function recordedCopy(
  engine: Engine,
  source: VolumeRecord,
  recordOf: RecordOf,
  signal: AbortSignal | undefined,
): Promise<VolumeRecord> {
  const staged = new StagedVolume(engine.paths);
  try {
    await copyVolume(engine, source, staged, source.size, signal);
    // R2, R5: the record says that all of it is there.
    staged.sync();
    const held = lock(engine.paths.locks, volumeLock(source.name));
    try {
      const record = recordOf();
      staged.place(record.name);
      engine.transaction(() => new VolumeTable(engine.database).insert(record));
      recordVolumeEvents(engine.paths, "create", [record.name]);
      return record;
    } finally {
      held.release();
    }
  } finally {
    staged.discard();
  }
}

/**
 * Makes a volume with the contents, the labels and the size of another.
 * @throws BockerError "not-found", or "conflict" for a name that is taken
 */
export function cloneVolume(
  engine: Engine,
  from: string,
  to: string,
  signal: AbortSignal | undefined,
): Promise<VolumeRecord> {
  checkVolumeName("clone", to);
  const source = requireVolume(engine, from);
  requireFreeVolume(engine, "clone", to);
  const { [SNAPSHOT_LABEL]: _, ...labels } = source.labels;
  const recordOf = () => {
    requireFreeVolume(engine, "clone", to);
    return { name: to, created: timestamp(), labels, anonymous: false, size: source.size };
  };
  return recordedCopy(engine, source, recordOf, signal);
}

/** VOLUME.1 and so on: one more than the last. */
function nextName(engine: Engine, volume: string): string {
  const numbers = new VolumeTable(engine.database)
    .list()
    .filter(({ name }) => name.startsWith(`${volume}.`))
    .map(({ name }) => name.slice(volume.length + 1))
    .filter((text) => /^[1-9]\d{0,8}$/.test(text))
    .map(Number);
  return `${volume}.${Math.max(0, ...numbers) + 1}`;
}

/**
 * Keeps what is in a volume now, as a volume that containers can only read.
 * @param name undefined: the volume's with a number
 * @throws BockerError "not-found", or "conflict" for a name that is taken
 */
export function snapshotVolume(
  engine: Engine,
  volume: string,
  name: string | undefined,
  signal: AbortSignal | undefined,
): Promise<VolumeRecord> {
  if (name !== undefined) checkVolumeName("snapshot", name);
  const source = requireVolume(engine, volume);
  if (name !== undefined) requireFreeVolume(engine, "snapshot", name);
  const recordOf = () => {
    if (name !== undefined) requireFreeVolume(engine, "snapshot", name);
    const labels = { ...source.labels, [SNAPSHOT_LABEL]: volume };
    const { size } = source;
    return { name: name ?? nextName(engine, volume), created: timestamp(), labels, anonymous: false, size };
  };
  return recordedCopy(engine, source, recordOf, signal);
}

/** Throws unless the volume may be given the contents of the snapshot. */
export function checkRollback(engine: Engine, name: string, snapshot: string): void {
  requireVolume(engine, name);
  if (snapshotOf(requireVolume(engine, snapshot)) !== name)
    throw new BockerError("invalid", `rollback ${name}: ${snapshot} is no snapshot of it`);
  requireStopped(engine, name, volumeUsers(engine).get(name) ?? []);
}

function requireStopped(engine: Engine, name: string, users: ContainerRecord[]): void {
  const running = users.filter((user) => isRunning(engine, user));
  if (running.length > 0)
    throw new BockerError(
      "conflict",
      `rollback ${name}: volume is in use by running containers - [${running.map(({ id }) => id).join(", ")}]: stop them first`,
    );
}

/**
 * Gives a volume the contents of one of its snapshots; what it had goes. It has either the one or the other, whatever happens.
 * @throws BockerError as checkRollback
 */
export async function rollbackVolume(
  engine: Engine,
  name: string,
  snapshot: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  checkRollback(engine, name, snapshot);
  const { size } = requireVolume(engine, name);
  const staged = new StagedVolume(engine.paths);
  try {
    await copyVolume(engine, requireVolume(engine, snapshot), staged, size, signal);
    staged.sync();
    const { users, locks } = await lockUsers(engine, name, signal);
    try {
      const held = lock(engine.paths.locks, volumeLock(name));
      try {
        // Nobody is recorded meanwhile: who comes to use it has not been recorded, and finds the new directory.
        engine.transaction(() => {
          const known = new Set(users.map(({ id }) => id));
          checkRollback(engine, name, snapshot);
          if ((volumeUsers(engine).get(name) ?? []).some(({ id }) => !known.has(id)))
            throw new BockerError("conflict", `rollback ${name}: a container has come to use it: try again`);
          staged.exchange(name);
        });
      } finally {
        held.release();
      }
    } finally {
      for (const { release } of locks) release();
    }
  } finally {
    staged.discard();
  }
}
