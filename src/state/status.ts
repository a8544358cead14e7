/** What a container is doing, from what its monitor wrote and what the kernel says. */
import { exists, listNames, readBytes, readTextIfExists } from "../os/host-files.ts";
import type { ContainerState } from "../spec/container.ts";
import type { ExitRecord } from "./exit.ts";
import { containerPaths, type Paths, startedMark } from "./paths.ts";

/** Kept by the monitor in the run directory (write_state in launcher/main.c). */
interface MonitorState {
  pid: number;
  pidStart: number;
  monitor: number;
  monitorStart: number;
  started: string;
}

/** What is said of a container whose end nobody recorded. */
const LOST = "the container's monitor ended before it could record how the container ended";

/** True when nobody recorded how the container ended: the machine or its monitor went down with it. */
export function isLost(state: ContainerState): boolean {
  return state.status === "exited" && state.error === LOST;
}

/** Linux's own limit. Of a pid that is none, kill(2) would make all processes. */
const PID_MAX = 2 ** 22;

const isPid = (value: unknown) => Number.isInteger(value) && Number(value) > 0 && Number(value) <= PID_MAX;
export const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown) => typeof value === "string";
const isTruth = (value: unknown) => typeof value === "boolean";

/** Who waits to start a container again: kept by itself (engine/restart-policy.ts). */
export interface RestartWaiter {
  pid: number;
  start: number;
}

const WAITER: Shape<RestartWaiter> = { pid: isPid, start: isCount };

export type Shape<T> = Record<keyof T, (value: unknown) => boolean>;

const STATE: Shape<MonitorState> = {
  pid: isPid,
  pidStart: isCount,
  monitor: isPid,
  monitorStart: isCount,
  started: isText,
};
const EXIT: Shape<ExitRecord> = {
  code: isCount,
  oom: isTruth,
  finished: isText,
  error: (value) => value === undefined || isText(value),
};

/** Undefined, too, for a file that was cut off by a crash, or that is not what the monitor writes: it says nothing. */
export function readJson<T>(path: string, shape: Shape<T>): T | undefined {
  const text = readTextIfExists(path);
  if (text === undefined) return undefined;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof document !== "object" || document === null) return undefined;
  for (const key in shape) if (!shape[key]((document as Record<string, unknown>)[key])) return undefined;
  return document as T;
}

/** /proc/PID/stat: the name, and the fields behind it, of which the first is the third; undefined for no process. */
export function processFields(pid: number): { name: string; fields: string[] } | undefined {
  try {
    const stat = readBytes(`/proc/${pid}/stat`).toString("latin1");
    const end = stat.lastIndexOf(")");
    return { name: stat.slice(stat.indexOf("(") + 1, end), fields: stat.slice(end + 2).split(" ") };
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot: a pid and this name one process for ever. */
export function processStart(pid: number): number | undefined {
  const fields = processFields(pid)?.fields;
  // A zombie runs nothing any more.
  return fields === undefined || fields[0] === "Z" || fields[0] === "X" ? undefined : Number(fields[19]);
}

function isAlive({ pid, pidStart }: MonitorState): boolean {
  return processStart(pid) === pidStart;
}

function isWatched({ monitor, monitorStart }: MonitorState): boolean {
  return processStart(monitor) === monitorStart;
}

/** Undefined where nobody waits, also no more. */
export function restartWaiter(paths: Paths, id: string): RestartWaiter | undefined {
  const waiter = readJson(containerPaths(paths, id).restarting, WAITER);
  return waiter !== undefined && processStart(waiter.pid) === waiter.start ? waiter : undefined;
}

/** The state of a container now. */
export function readState(paths: Paths, id: string): ContainerState {
  const files = containerPaths(paths, id);
  const running = readJson(files.state, STATE);
  const exit = readJson(files.exit, EXIT);
  // Between the container's end and the record of it the monitor is still there.
  if (exit === undefined && running !== undefined && (isAlive(running) || isWatched(running)))
    return {
      status: "running",
      paused: exists(files.paused),
      pid: running.pid,
      monitor: running.monitor,
      started: running.started,
    };
  if (exit?.error !== undefined && !exists(files.started))
    return { status: "created", failed: { code: exit.code, error: exit.error } };
  if (exit !== undefined)
    return {
      status: "exited",
      code: exit.code,
      oomKilled: exit.oom,
      finished: exit.finished,
      ...(exit.error === undefined ? {} : { error: exit.error }),
      ...(restartWaiter(paths, id) === undefined ? {} : { restarting: true }),
    };
  if (!exists(files.started)) return { status: "created" };
  // It ran, and neither it nor a record of its end is left: the machine or the monitor died.
  return {
    status: "exited",
    code: 255,
    oomKilled: false,
    finished: running?.started ?? "0001-01-01T00:00:00Z",
    error: LOST,
  };
}

/**
 * readState for many: what has never been started takes one look, and no more. A container that is started
 * meanwhile has left its mark by then, and is looked at as closely as one alone.
 */
export function stateReader(paths: Paths): (id: string) => ContainerState {
  const active = new Set(exists(paths.runContainers) ? listNames(paths.runContainers) : []);
  return (id) =>
    active.has(id) || exists(startedMark(paths, id)) ? readState(paths, id) : { status: "created" };
}

/** The container's monitor, while it is there: after the exit is recorded it ends the log and cleans up. */
export function monitorPid(paths: Paths, id: string): number | undefined {
  const state = readJson(containerPaths(paths, id).state, STATE);
  return state !== undefined && isWatched(state) ? state.monitor : undefined;
}

export function hasMonitor(paths: Paths, id: string): boolean {
  return monitorPid(paths, id) !== undefined;
}

/** What Docker calls its state. */
export function stateName(state: ContainerState): string {
  if (state.status === "running" && state.paused) return "paused";
  return isRestarting(state) ? "restarting" : state.status;
}

/** What Docker calls running: it runs, or somebody waits to start it again. */
export function isUp(state: ContainerState): boolean {
  return state.status === "running" || isRestarting(state);
}

/** Whether somebody waits to start it again: then, as for Docker, it has not come to its end. */
export function isRestarting(state: ContainerState): boolean {
  return state.status === "exited" && state.restarting === true;
}

/** When the container was started last; undefined when never. */
export function startedAt(paths: Paths, id: string): string | undefined {
  return readJson(containerPaths(paths, id).state, STATE)?.started;
}
