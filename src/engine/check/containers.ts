/** Containers of which nobody recorded the end, and files that belong to no container. */
import { cgroupPath } from "../../cgroup/place.ts";
import { removeCgroups } from "../../cgroup/remove.ts";
import { exists, readTextIfExists, removeTree } from "../../os/host-files.ts";
import type { ContainerRecord } from "../../spec/container.ts";
import { releaseAddresses } from "../../state/addresses.ts";
import { recordEvents } from "../../state/events.ts";
import { writeExit } from "../../state/exit.ts";
import { containerPaths } from "../../state/paths.ts";
import { hasMonitor, isLost, isRestarting, readState, stateReader } from "../../state/status.ts";
import { discard, discardedPath, sweepTrash, trashNames } from "../../state/trash.ts";
import { containerCgroup } from "../cgroup.ts";
import { containerEvent } from "../container-events.ts";
import { type Engine, timestamp } from "../engine.ts";
import { isLeftFrozen, isMarkedPaused, resume, runsThoughPaused, thaw } from "../freeze.ts";
import { callAsMonitor } from "../monitor-call.ts";
import { dropPublished } from "../ports.ts";
import { deleteContainer } from "../remove.ts";
import { isToRestart } from "../restart-policy.ts";
import { type Finding, ids, subjectOf, unlessLocked } from "./finding.ts";

const LOST_CODE = 255;

/** A container whose end nobody recorded: the record is written, what the monitor would have removed goes. */
function recordLoss(engine: Engine, record: ContainerRecord): string {
  const files = containerPaths(engine.paths, record.id);
  removeTree(files.run);
  removeCgroups(containerCgroup(record));
  dropPublished(record);
  releaseAddresses(engine.database, record.id);
  // Its monitor could not.
  recordEvents(engine.paths, [containerEvent(record, "die", { exitCode: String(LOST_CODE) })]);
  if (record.host.autoRemove) {
    deleteContainer(engine, record, true);
    return "--rm: it is removed";
  }
  writeExit(engine.paths, record.id, { code: LOST_CODE, oom: false, finished: timestamp() }, true);
  return `it is recorded as exited (${LOST_CODE})`;
}

/** A --rm container whose files were deleted, and then a power cut took back that its record was. */
function hasVanished({ paths }: Engine, { id, host }: ContainerRecord): boolean {
  return host.autoRemove && !exists(containerPaths(paths, id).directory);
}

/** What is wrong with a container that has ended, and how it is put right. Call it under the container's lock. */
function faultOf(engine: Engine, id: string): Finding | undefined {
  const record = engine.containers.get(id);
  if (record === undefined) return undefined;
  const state = readState(engine.paths, id);
  const subject = subjectOf(record);
  if (hasVanished(engine, record))
    return {
      subject,
      problem: "had ended",
      mend: () => {
        deleteContainer(engine, record, true);
        return "--rm: it is removed";
      },
    };
  if (isLost(state))
    return { subject, problem: "went down with its monitor", mend: () => recordLoss(engine, record) };
  // Whoever was to carry out its --rm was killed.
  if (!record.host.autoRemove || state.status !== "exited" || hasMonitor(engine.paths, id)) return undefined;
  const mend = () => {
    deleteContainer(engine, record, true);
    return "--rm: it is removed";
  };
  return { subject, problem: "had ended", mend };
}

/** Those that may have ended without a record of it, or without what was to follow. */
function doubtful(engine: Engine, firstOfBoot: boolean): Iterable<string> {
  // In the boot that it was started in, a lost container has still what its monitor wrote of it.
  return firstOfBoot
    ? engine.containers.ids()
    : new Set([...ids(engine.paths.runContainers), ...engine.containers.idsOfAutoRemoved()]);
}

export function checkEnded(engine: Engine, firstOfBoot: boolean): Finding[] {
  const stateOf = stateReader(engine.paths);
  const isGone = (id: string) => firstOfBoot && !exists(containerPaths(engine.paths, id).directory);
  return [...doubtful(engine, firstOfBoot)].flatMap((id) => {
    if (stateOf(id).status !== "exited" && !isGone(id)) return [];
    const found = unlessLocked(engine, id, () => faultOf(engine, id));
    if (found === undefined) return [];
    // Looked at again under the lock when it is mended: it may have been started, or be gone.
    const mend = () =>
      unlessLocked(engine, id, () => faultOf(engine, id)?.mend?.()) ?? "another command is at work on it";
    return [{ ...found, mend }];
  });
}

/** Running containers that a commit, a fork or a snapshot has frozen which was killed before it could thaw them. */
export function checkFrozen(engine: Engine): Finding[] {
  return ids(engine.paths.runContainers).flatMap((id): Finding[] => {
    if (!isLeftFrozen(engine, id)) return [];
    const record = unlessLocked(engine, id, () =>
      isLeftFrozen(engine, id) ? engine.containers.get(id) : undefined,
    );
    if (record === undefined) return [];
    const mend = () => {
      unlessLocked(engine, id, () => thaw(engine, record));
      return "it goes on";
    };
    return [{ subject: subjectOf(record), problem: "was frozen for a copy that was cut off", mend }];
  });
}

/** Running containers that are called paused since a pause or unpause that was cut off. */
export function checkPaused(engine: Engine): Finding[] {
  return ids(engine.paths.runContainers).flatMap((id): Finding[] => {
    if (!isMarkedPaused(engine, id)) return [];
    const wrong = () => {
      const record = engine.containers.get(id);
      return record !== undefined && runsThoughPaused(engine, record) ? record : undefined;
    };
    const record = unlessLocked(engine, id, wrong);
    if (record === undefined) return [];
    const mend = () => {
      unlessLocked(engine, id, () => wrong() !== undefined && resume(engine, record));
      return "it runs";
    };
    return [
      { subject: subjectOf(record), problem: "is called paused since a command that was cut off", mend },
    ];
  });
}

/** Milliseconds from a container's end until somebody waits to start it again, with room for a machine that is busy. */
const CALL_MS = 5000;

/** Containers that are to be started again, and for which nobody waits any more. */
export function checkRestarts(engine: Engine): Finding[] {
  return ids(engine.paths.runContainers).flatMap((id): Finding[] => {
    if (!isToRestart(engine, id)) return [];
    const left = () => {
      const state = readState(engine.paths, id);
      const isLeft =
        state.status === "exited" &&
        !isRestarting(state) &&
        !hasMonitor(engine.paths, id) &&
        Date.now() - Date.parse(state.finished) > CALL_MS;
      return isLeft && isToRestart(engine, id) ? engine.containers.get(id) : undefined;
    };
    const record = unlessLocked(engine, id, left);
    if (record === undefined) return [];
    const mend = () => {
      callAsMonitor(engine, id);
      return "it starts now";
    };
    const problem = "was not started again by its restart policy: who waited to do so was killed";
    return [{ subject: subjectOf(record), problem, mend }];
  });
}

/** A directory, of the disk or of this boot, that no record names. Call it under the container's lock. */
function isOrphan(engine: Engine, id: string): boolean {
  // A monitor removes what its --rm container has left: that is no work for others.
  if (engine.containers.get(id) !== undefined || hasMonitor(engine.paths, id)) return false;
  const files = containerPaths(engine.paths, id);
  return exists(files.directory) || exists(files.run);
}

/** Directories that belong to no record: a crash in the middle of create or rm. */
export function checkDirectories(engine: Engine): Finding[] {
  const { containers, runContainers } = engine.paths;
  const orphans = new Set([...ids(containers), ...ids(runContainers)]);
  for (const id of engine.containers.ids()) orphans.delete(id);
  const remove = (id: string) => {
    if (!isOrphan(engine, id)) return undefined;
    const files = containerPaths(engine.paths, id);
    // The directory is all that tells of the cgroups: as long as they cannot go, it is met again.
    if (!removeCgroups(cgroupPath(undefined, id))) return "what ran in it has not ended yet";
    removeTree(files.run);
    if (discard(engine.paths, files.directory, id)) sweepTrash(engine.paths);
    return undefined;
  };
  const found = [...orphans].filter((id) => unlessLocked(engine, id, () => isOrphan(engine, id)) === true);
  return found.map((id) => ({
    subject: `directory ${containers}/${id}`,
    problem: "belongs to no container",
    mend: () => unlessLocked(engine, id, () => remove(id)) ?? "it is removed",
    unfinished: true,
  }));
}

/** What a crash has kept from being deleted, or what somebody is deleting. */
export function checkTrash(engine: Engine): Finding[] {
  return trashNames(engine.paths).map((name) => ({
    subject: `directory ${discardedPath(engine.paths, name)}`,
    problem: "was to be deleted",
    mend: () => {
      sweepTrash(engine.paths);
      return "it is deleted";
    },
  }));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Files of recorded containers: those that are there are whole, and those that must be there are. */
export function checkFiles(engine: Engine): Finding[] {
  const seen = new Map<string, boolean>();
  const isThere = (layer: string) => {
    const there = seen.get(layer) ?? exists(layer);
    seen.set(layer, there);
    return there;
  };
  return engine.containers.list().flatMap((record) => {
    const files = containerPaths(engine.paths, record.id);
    const found: Finding[] = [];
    const subject = subjectOf(record);
    const missing = record.layers.filter((layer) => !isThere(layer));
    if (missing.length > 0)
      found.push({
        subject,
        problem: `cannot start: ${missing.length} of its ${record.layers.length} layers ${missing.length === 1 ? "is" : "are"} missing`,
        advice: `pull ${record.config.image} again, or remove the container`,
      });
    const hasNone = () => record.host.rootfs === undefined && !exists(files.upper);
    if (hasNone() && unlessLocked(engine, record.id, hasNone) === true)
      found.push({
        subject,
        problem: "has lost its files: its directory is missing",
        advice: "remove the container",
      });
    // Each start writes it anew; while the container runs, exec reads it.
    const spec = readTextIfExists(files.spec);
    if (spec !== undefined && !isJson(spec) && readState(engine.paths, record.id).status === "running")
      found.push({
        subject,
        problem: "has a damaged runtime specification, so that nothing can be executed in it",
        advice: "stop and start it",
      });
    return found;
  });
}
