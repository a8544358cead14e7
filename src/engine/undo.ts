/**
 * `undo`: a container's files become again what they were before an exec. They are kept as a copy of its root, made the way
 * the driver makes forks: a snapshot on btrfs, elsewhere a copy that shares data where the filesystem can.
 *
 *     CONTAINER/undo/N/upper       the files, N counting up; work beside them is of no use
 *     CONTAINER/undo/N/about.json  when, and before what
 *     CONTAINER/undo/.new          a copy that is being made, or was when somebody was killed
 *     CONTAINER/undo/.undoing      N, while it takes the place of the container's files
 *
 * The kept root has an attribute that goes with it, so that after a crash it is known whether it has been exchanged.
 */
import * as v from "valibot";
import { BockerError } from "../base/errors.ts";
import { AT_FDCWD, RENAME_EXCHANGE } from "../os/constants.ts";
import { renameat2 } from "../os/files.ts";
import {
  exists,
  listNames,
  makeDirectory,
  readBytes,
  rename,
  setMode,
  syncDirectory,
  syncFilesystem,
  writeFile,
} from "../os/host-files.ts";
import { lgetxattr, lremovexattr, lsetxattr } from "../os/metadata.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { parseJson } from "../spec/json.ts";
import { containerPaths, containerRoot } from "../state/paths.ts";
import { readState } from "../state/status.ts";
import { deleteDiscarded, discard } from "../state/trash.ts";
import { lockContainer } from "./container-lock.ts";
import { carryOutCopy } from "./copying.ts";
import { type Engine, timestamp } from "./engine.ts";
import { frozen } from "./freeze.ts";

/** How many are kept of a container that was not told. */
const KEPT_DEFAULT = 10;
/** On the root of kept files. */
const MARK = "trusted.bocker.kept";

const aboutSchema = v.object({ created: v.string(), before: v.string() });

/** What a container's files were at one time. */
export interface Kept {
  number: number;
  /** RFC 3339 */
  created: string;
  /** What was done next: a command line. */
  before: string;
}

function placesOf(engine: Engine, { id }: ContainerRecord) {
  const directory = `${containerPaths(engine.paths, id).directory}/undo`;
  return {
    directory,
    fresh: `${directory}/.new`,
    undoing: `${directory}/.undoing`,
    of: (number: number) => `${directory}/${number}`,
  };
}

/** The latest first. */
export function keptFiles(engine: Engine, record: ContainerRecord): Kept[] {
  const { directory, of } = placesOf(engine, record);
  if (!exists(directory)) return [];
  return listNames(directory)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => b - a)
    .map((number) => {
      const path = `${of(number)}/about.json`;
      return { number, ...v.parse(aboutSchema, parseJson(readBytes(path), path)) };
    });
}

/** Out of sight at once, then gone. */
function drop(engine: Engine, record: ContainerRecord, path: string): void {
  const name = `${record.id}-undo`;
  deleteDiscarded(engine.paths, name);
  if (discard(engine.paths, path, name)) deleteDiscarded(engine.paths, name);
}

/** Has a copy or an undo been cut off? */
export function isUndoUnsettled(engine: Engine, record: ContainerRecord): boolean {
  const { fresh, undoing } = placesOf(engine, record);
  return exists(fresh) || exists(undoing);
}

/** What a crash has left: a copy that is not whole goes, an undo is ended or has not been. The caller holds the container's lock. */
export function settleUndo(engine: Engine, record: ContainerRecord): void {
  const { fresh, undoing, of } = placesOf(engine, record);
  if (exists(fresh)) drop(engine, record, fresh);
  if (!exists(undoing)) return;
  if (lgetxattr(`${undoing}/upper`, MARK) === undefined) {
    const { upper } = containerPaths(engine.paths, record.id);
    if (lgetxattr(upper, MARK) !== undefined) lremovexattr(upper, MARK);
    drop(engine, record, undoing);
  } else rename(undoing, of((keptFiles(engine, record)[0]?.number ?? 0) + 1));
}

function refuse(record: ContainerRecord): void {
  const { host } = record;
  if (host.rootfs !== undefined)
    throw new BockerError(
      "unsupported",
      "the files of a container of --rootfs are those of a directory of the host: they are not kept",
    );
  if (host.autoRemove)
    throw new BockerError(
      "unsupported",
      "a container of --rm is removed when it stops: its files are not kept for undo",
    );
}

/**
 * Keeps a container's files as they are now. It stands still meanwhile. Of those that were kept before, the oldest go.
 * @param before what is going to be done
 * @throws BockerError "unsupported" for containers without files that could be exchanged
 */
export async function keepFiles(
  engine: Engine,
  container: ContainerRecord,
  before: string,
  signal?: AbortSignal,
): Promise<void> {
  refuse(container);
  const held = lockContainer(engine, container);
  try {
    const record = engine.containers.find(container.id);
    const { directory, fresh, of } = placesOf(engine, record);
    if (!exists(directory)) makeDirectory(directory, 0o700);
    settleUndo(engine, record);
    makeDirectory(fresh, 0o710);
    // An unprivileged user of the container's namespaces has to get through; nobody else gets to `directory`.
    setMode(fresh, 0o710);
    const to = { lowers: record.layers, upper: `${fresh}/upper`, work: `${fresh}/work` };
    const root = containerRoot(engine.paths, record);
    const copy = () => carryOutCopy(engine.driver.copyRoot(root, to, record.host.storageSize), signal);
    try {
      await (readState(engine.paths, record.id).status === "running" ? frozen(engine, record, copy) : copy());
      lsetxattr(to.upper, MARK, Buffer.of());
      writeFile(`${fresh}/about.json`, JSON.stringify({ created: timestamp(), before }));
      syncFilesystem(directory);
    } catch (error) {
      drop(engine, record, fresh);
      throw error;
    }
    const kept = keptFiles(engine, record);
    rename(fresh, of((kept[0]?.number ?? 0) + 1));
    syncDirectory(directory);
    for (const { number } of kept.slice((record.host.undo ?? KEPT_DEFAULT) - 1))
      drop(engine, record, of(number));
  } finally {
    held.release();
  }
}

/** Which of the kept files the last `steps` execs began with. Throws "not-found" where so many are not kept. */
export function keptBefore(engine: Engine, record: ContainerRecord, steps: number): Kept {
  const kept = keptFiles(engine, record);
  const found = kept[steps - 1];
  if (found !== undefined) return found;
  throw new BockerError(
    "not-found",
    kept.length === 0
      ? `nothing is kept of the files of ${record.name}: "run --undo N" keeps them before each exec, "exec --undo" before one`
      : `cannot undo ${steps} times: the files of ${record.name} are kept ${kept.length === 1 ? "once" : `${kept.length} times`}`,
  );
}

/**
 * Gives a container that does not run the files that it had before its last `steps` execs for which they were kept. What it
 * has now, and what was kept since, is lost.
 * @throws BockerError "not-found" as keptBefore, "conflict" for a container that runs
 */
export function undo(engine: Engine, container: ContainerRecord, steps: number): Kept {
  const held = lockContainer(engine, container);
  try {
    const record = engine.containers.find(container.id);
    keptBefore(engine, record, steps);
    if (readState(engine.paths, record.id).status === "running")
      throw new BockerError(
        "conflict",
        `container ${record.name} is running: its files cannot be exchanged under it: stop it first, or use --restart`,
      );
    settleUndo(engine, record);
    const { directory, undoing, of } = placesOf(engine, record);
    const wanted = keptBefore(engine, record, steps);
    const { upper, directory: own } = containerPaths(engine.paths, record.id);
    for (const { number } of keptFiles(engine, record))
      if (number > wanted.number) drop(engine, record, of(number));
    rename(of(wanted.number), undoing);
    syncDirectory(directory);
    renameat2(AT_FDCWD, `${undoing}/upper`, AT_FDCWD, upper, RENAME_EXCHANGE);
    syncDirectory(own);
    settleUndo(engine, record);
    return wanted;
  } finally {
    held.release();
  }
}
