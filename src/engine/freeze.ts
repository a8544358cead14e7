/** A running container whose processes are stopped for a while, and what sees to it that they go on, whatever happens. */
import { setTimeout as delay } from "node:timers/promises";
import { BockerError } from "../base/errors.ts";
import { cgroupFreezer } from "../cgroup/freezer.ts";
import { exists, readTextIfExists, removeFile, writeFile } from "../os/host-files.ts";
import { isSystemError } from "../os/system-error.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths } from "../state/paths.ts";
import { containerCgroup } from "./cgroup.ts";
import type { Engine } from "./engine.ts";

function write(record: ContainerRecord, wanted: "freeze" | "thaw"): void {
  const freezer = cgroupFreezer(containerCgroup(record));
  if (freezer === undefined) return;
  try {
    writeFile(freezer.path, freezer[wanted]);
  } catch (error) {
    // It has ended since it was looked at: then nothing of it can change any more.
    if (!isSystemError(error, "ENOENT", "ENODEV")) throw error;
  }
}

/** Milliseconds: a process that waits for a disk or a server that does not answer cannot be stopped, nor does it write. */
const LONGEST_WAIT = 2000;

/** Until none of its processes runs any more: they stop one after the other. */
async function awaitFrozen(record: ContainerRecord): Promise<void> {
  const freezer = cgroupFreezer(containerCgroup(record));
  if (freezer === undefined) return;
  const deadline = performance.now() + LONGEST_WAIT;
  while (performance.now() < deadline) {
    const state = readTextIfExists(freezer.statePath);
    if (state === undefined || freezer.frozen.test(state)) return;
    await delay(1);
  }
}

/**
 * Freezes a running container for as long as `action` takes. A mark says so, by which the next command knows that
 * somebody was killed at it (R11). The caller holds the container's lock.
 */
export async function frozen<T>(
  engine: Engine,
  record: ContainerRecord,
  action: () => Promise<T>,
): Promise<T> {
  const { frozen: mark, paused } = containerPaths(engine.paths, record.id);
  // It stands still already, and is to do so afterwards.
  if (exists(paused)) return action();
  try {
    writeFile(mark, "");
  } catch (error) {
    // It has ended, and its directory of this boot is gone.
    if (isSystemError(error, "ENOENT")) return action();
    throw error;
  }
  try {
    write(record, "freeze");
    await awaitFrozen(record);
    return await action();
  } finally {
    write(record, "thaw");
    removeFile(mark);
  }
}

/** The same for several, one after the other. */
export function allFrozen<T>(
  engine: Engine,
  [record, ...others]: readonly ContainerRecord[],
  action: () => Promise<T>,
): Promise<T> {
  if (record === undefined) return action();
  return frozen(engine, record, () => allFrozen(engine, others, action));
}

/** Did somebody who froze it not come to thaw it? To be asked under the container's lock. */
export function isLeftFrozen(engine: Engine, id: string): boolean {
  return exists(containerPaths(engine.paths, id).frozen);
}

/** Lets it go on, whoever has frozen it: with cgroup v1 not even SIGKILL reaches what is frozen. */
export function thaw(engine: Engine, record: ContainerRecord): void {
  write(record, "thaw");
  removeFile(containerPaths(engine.paths, record.id).frozen);
}

/** Stops all its processes, until `resume`. The caller holds the container's lock. Throws "platform" on machines without a freezer. */
export async function hold(engine: Engine, record: ContainerRecord): Promise<void> {
  if (cgroupFreezer(containerCgroup(record)) === undefined)
    throw new BockerError(
      "platform",
      "this machine has no cgroup controller that could pause a container: freezer",
    );
  const { paused, frozen: mark } = containerPaths(engine.paths, record.id);
  writeFile(paused, "");
  // What somebody left who was killed at it: by it the next command would let the container go on.
  removeFile(mark);
  write(record, "freeze");
  await awaitFrozen(record);
}

/** Is it called paused? */
export function isMarkedPaused(engine: Engine, id: string): boolean {
  return exists(containerPaths(engine.paths, id).paused);
}

/** Is it called paused, and runs? Then a `hold` or a `resume` was cut off. To be asked under the container's lock. */
export function runsThoughPaused(engine: Engine, record: ContainerRecord): boolean {
  const freezer = cgroupFreezer(containerCgroup(record));
  return (
    freezer !== undefined &&
    isMarkedPaused(engine, record.id) &&
    readTextIfExists(freezer.path)?.trim() === freezer.thaw
  );
}

/** Lets go on what `hold` has stopped. */
export function resume(engine: Engine, record: ContainerRecord): void {
  write(record, "thaw");
  removeFile(containerPaths(engine.paths, record.id).paused);
}
