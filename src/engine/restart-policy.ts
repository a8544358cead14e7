/**
 * `--restart`: a container that starts again when it has ended. There is no daemon to see to it: as long as a file `restart` is in
 * the container's directory of this boot, its monitor calls the engine at the end (`bocker attend`), which waits and starts it.
 * Whoever stops the container gives the file another name. After a boot nobody is there to begin.
 *
 *     RUN/containers/ID/restart     how often it was started again by its policy, and after which wait
 *     RUN/containers/ID/restarted   the same once there are to be no more
 *     RUN/containers/ID/restarting  the process that waits
 */
import { setTimeout as delay } from "node:timers/promises";
import { SIGKILL } from "../os/constants.ts";
import { removeFile, rename, writeFile } from "../os/host-files.ts";
import { kill } from "../os/processes.ts";
import { isSystemError } from "../os/system-error.ts";
import type { ContainerRecord, RestartPolicy } from "../spec/container.ts";
import { lock } from "../state/locks.ts";
import { containerPaths } from "../state/paths.ts";
import {
  isCount,
  processStart,
  type RestartWaiter,
  readJson,
  readState,
  restartWaiter,
  type Shape,
  startedAt,
} from "../state/status.ts";
import type { Engine } from "./engine.ts";
import { privateFile } from "./private-file.ts";
import { performFileStep, type WriteStep } from "./steps.ts";

/** Milliseconds: the first wait, the longest, and how long a container has to run for the first again (moby, restartmanager). */
const [FIRST_MS, LONGEST_MS, LONG_ENOUGH_MS] = [100, 60_000, 10_000];

/** How often a container was started by its policy since somebody started it, and the last wait in milliseconds. */
export interface Attempts {
  count: number;
  delay: number;
}

const ATTEMPTS: Shape<Attempts> = { count: isCount, delay: isCount };
const NONE: Attempts = { count: 0, delay: 0 };

/** Undefined for a container without a policy, and where somebody has stopped it. */
function attemptsOf(engine: Engine, id: string): Attempts | undefined {
  return readJson(containerPaths(engine.paths, id).restart, ATTEMPTS);
}

/** The attempts since somebody has started it, whether there are to be more or not. */
export function pastAttempts(engine: Engine, id: string): Attempts {
  return attemptsOf(engine, id) ?? readJson(containerPaths(engine.paths, id).restarted, ATTEMPTS) ?? NONE;
}

/** Whether a container that has ended is to be started again. */
export function isToRestart(engine: Engine, id: string): boolean {
  return attemptsOf(engine, id) !== undefined;
}

/** What a start writes for a restart policy; nothing without one. */
export function restartSteps({ paths }: Engine, { id, host }: ContainerRecord, attempts = NONE): WriteStep[] {
  const path = containerPaths(paths, id).restart;
  if (host.restart === undefined) return [];
  const why = `--restart ${host.restart.name}: as long as it is there, the monitor's last act is to call bocker, which starts the container again`;
  return [privateFile(path, JSON.stringify(attempts), why)];
}

/** Asks the monitor of a container that is being started, or of one that runs, to call the engine at its end; or not to, without a policy. */
export function askForRestart(engine: Engine, record: ContainerRecord, attempts = NONE): void {
  const { restart, restarted } = containerPaths(engine.paths, record.id);
  const steps = restartSteps(engine, record, attempts);
  if (steps.length === 0) removeFile(restart);
  for (const step of steps) performFileStep(step);
  removeFile(restarted);
}

/** There are to be no more, but it stays known how many there were. */
function endAttempts(engine: Engine, id: string): void {
  const { restart, restarted } = containerPaths(engine.paths, id);
  try {
    rename(restart, restarted);
  } catch (error) {
    // There is none, or somebody was faster: of one that runs no lock is held.
    if (!isSystemError(error, "ENOENT")) throw error;
  }
}

/**
 * It is not to be started again: by nobody, also not by who waits to do it. To be called under the container's lock, but for
 * one that runs: then whoever takes the lock to start it finds that it is not wanted.
 */
export function forgetRestart(engine: Engine, id: string): void {
  const { restarting } = containerPaths(engine.paths, id);
  endAttempts(engine, id);
  const waiter = restartWaiter(engine.paths, id);
  removeFile(restarting);
  if (waiter === undefined || waiter.pid === process.pid) return;
  try {
    kill(waiter.pid, SIGKILL);
  } catch (error) {
    if (!isSystemError(error, "ESRCH")) throw error;
  }
}

function applies({ name, retries }: RestartPolicy, code: number, count: number): boolean {
  if (name !== "on-failure") return true;
  return code !== 0 && (retries === 0 || count < retries);
}

/** The next attempt; undefined when there is to be none, which is noted. To be called under the container's lock. */
function nextAttempt(engine: Engine, record: ContainerRecord): Attempts | undefined {
  const state = readState(engine.paths, record.id);
  const before = attemptsOf(engine, record.id);
  const policy = record.host.restart;
  if (state.status !== "exited" || before === undefined || policy === undefined) return undefined;
  if (!applies(policy, state.code, before.count)) {
    endAttempts(engine, record.id);
    return undefined;
  }
  const ran = Date.parse(state.finished) - Date.parse(startedAt(engine.paths, record.id) ?? state.finished);
  const wait = ran >= LONG_ENOUGH_MS ? FIRST_MS : Math.max(FIRST_MS, Math.min(before.delay * 2, LONGEST_MS));
  return { count: before.count + 1, delay: wait };
}

/** A start that somebody waits for. */
export interface Pending {
  record: ContainerRecord;
  attempts: Attempts;
  /** Whether it is still wanted; to be asked under the container's lock. */
  isWanted: () => boolean;
}

function prepare(engine: Engine, id: string): Pending | undefined {
  const held = lock(engine.paths.locks, id);
  try {
    const record = engine.containers.get(id);
    const attempts = record === undefined ? undefined : nextAttempt(engine, record);
    if (record === undefined || attempts === undefined) return undefined;
    const { restarting } = containerPaths(engine.paths, id);
    const own: RestartWaiter = { pid: process.pid, start: processStart(process.pid) ?? 0 };
    writeFile(restarting, JSON.stringify(own));
    const isWanted = () => isToRestart(engine, id) && restartWaiter(engine.paths, id)?.pid === own.pid;
    return { record, attempts, isWanted };
  } finally {
    held.release();
  }
}

/**
 * Starts a container again that has ended, after a wait, if its policy says so and nobody has stopped it meanwhile.
 * @param start starts it; it asks `isWanted` under the container's lock
 */
export async function restartByPolicy(
  engine: Engine,
  id: string,
  start: (pending: Pending) => Promise<void>,
): Promise<void> {
  const pending = prepare(engine, id);
  if (pending === undefined) return;
  await delay(pending.attempts.delay);
  await start(pending);
}
