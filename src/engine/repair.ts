/**
 * What a crash or a reboot has left, put right by the next command. Nothing is guessed: a container of
 * which nobody recorded the end has ended with 255, and what belongs to no record goes.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shortId } from "../base/ids.ts";
import { cgroupDirectories } from "../cgroup/layout.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { AddressTable } from "../state/addresses.ts";
import { lock } from "../state/locks.ts";
import { containerPaths } from "../state/paths.ts";
import { hasMonitor, isLost, readState } from "../state/status.ts";
import { discard, sweepTrash } from "../state/trash.ts";
import { type Engine, timestamp } from "./engine.ts";
import { removeUnfinished } from "./image-lock.ts";
import { releaseNetwork } from "./network.ts";
import { dropPublished } from "./ports.ts";
import { cgroupName } from "./prepare.ts";
import { deleteContainer } from "./remove.ts";
import { removeAnonymousVolumes } from "./volumes.ts";

const LOST_CODE = 255;
const ID = /^[0-9a-f]{64}$/;

/** Directories of a cgroup that no process is in any more; others stay and are met again. */
function removeCgroups(id: string): void {
  for (const directory of cgroupDirectories(cgroupName(id))) {
    try {
      rmdirSync(directory);
    } catch {
      // Missing, mostly. A busy one belongs to something that lives.
    }
  }
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => ID.test(name));
  } catch {
    return [];
  }
}

/** Runs `action` unless another process is at work on this container. */
function unlessLocked(engine: Engine, id: string, action: () => void): void {
  const held = lock(engine.paths.locks, id, false);
  if (held === undefined) return;
  try {
    action();
  } finally {
    held.release();
  }
}

/** A container whose end nobody recorded: the record is written, what the monitor would have removed goes. */
function recordLoss(engine: Engine, record: ContainerRecord): string {
  const files = containerPaths(engine.paths, record.id);
  rmSync(files.run, { recursive: true, force: true });
  removeCgroups(record.id);
  dropPublished(record);
  releaseNetwork(engine, record.id);
  const what = `container ${record.name} (${shortId(record.id)})`;
  if (record.host.autoRemove) {
    deleteContainer(engine, record);
    removeAnonymousVolumes(engine, record);
    return `${what} went down with its monitor; --rm: it is removed`;
  }
  const exit = { code: LOST_CODE, oom: false, finished: timestamp() };
  writeFileSync(`${files.exit}.tmp`, JSON.stringify(exit), { mode: 0o600, flush: true });
  renameSync(`${files.exit}.tmp`, files.exit);
  return `${what} went down with its monitor; it is recorded as exited (${LOST_CODE})`;
}

/** Ended, but its --rm was never carried out: whoever was to do it was killed. */
function isLeftOver(engine: Engine, record: ContainerRecord): boolean {
  if (!record.host.autoRemove) return false;
  return readState(engine.paths, record.id).status === "exited" && !hasMonitor(engine.paths, record.id);
}

function repairContainers(engine: Engine): string[] {
  const said: string[] = [];
  for (const record of engine.containers.list()) {
    const state = readState(engine.paths, record.id);
    if (state.status !== "exited" || (!isLost(state) && !record.host.autoRemove)) continue;
    unlessLocked(engine, record.id, () => {
      // Looked at again under the lock: it may have been started, or be gone.
      if (engine.containers.get(record.id) === undefined) return;
      if (isLost(readState(engine.paths, record.id))) said.push(recordLoss(engine, record));
      else if (isLeftOver(engine, record)) {
        deleteContainer(engine, record);
        removeAnonymousVolumes(engine, record);
        said.push(`container ${record.name} (${shortId(record.id)}) had ended; --rm: it is removed`);
      }
    });
  }
  return said;
}

/** Directories that belong to no record: a crash in the middle of create or rm. */
function repairDirectories(engine: Engine): string[] {
  let swept = sweepTrash(engine.paths);
  const { containers, runContainers } = engine.paths;
  const orphans = new Set([...names(containers), ...names(runContainers)]);
  for (const { id } of engine.containers.list()) orphans.delete(id);
  for (const id of orphans)
    unlessLocked(engine, id, () => {
      if (engine.containers.get(id) !== undefined) return;
      const files = containerPaths(engine.paths, id);
      removeCgroups(id);
      rmSync(files.run, { recursive: true, force: true });
      discard(engine.paths, files.directory, id);
      swept++;
    });
  sweepTrash(engine.paths);
  return swept === 0
    ? []
    : [`${swept} director${swept === 1 ? "y" : "ies"} of an unfinished command removed`];
}

function repairLeases(engine: Engine): void {
  const addresses = new AddressTable(engine.database);
  for (const holder of addresses.holders())
    unlessLocked(engine, holder, () => {
      if (readState(engine.paths, holder).status !== "running") addresses.release(holder);
    });
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** True when this is the first command since the machine came up, or the first ever. */
function isFirstOfBoot(engine: Engine): boolean {
  const marker = join(engine.paths.run, "boot-id");
  const boot = readFileSync(BOOT_ID, "utf8");
  try {
    if (readFileSync(marker, "utf8") === boot) return false;
  } catch {
    // Not there: /run is empty after a boot.
  }
  mkdirSync(engine.paths.run, { recursive: true, mode: 0o710 });
  writeFileSync(marker, boot, { mode: 0o600 });
  return true;
}

/**
 * Puts right what can be wrong. Returns what was done, a line each.
 * @param thorough false for commands that must be quick: then only the first after a boot looks
 */
export function repair(engine: Engine, thorough: boolean): string[] {
  if (!isFirstOfBoot(engine) && !thorough) return [];
  engine.database;
  removeUnfinished(engine);
  repairLeases(engine);
  return [...repairContainers(engine), ...repairDirectories(engine)];
}
