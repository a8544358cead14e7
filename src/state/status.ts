/** What a container is doing, from what its monitor wrote and what the kernel says. */
import { existsSync, readFileSync } from "node:fs";
import type { ContainerState } from "../spec/container.ts";
import { containerPaths, type Paths } from "./paths.ts";

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

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch {
    // Missing, or cut off by a crash: both mean that nothing is known from it.
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot: a pid and this name one process for ever. */
export function processStart(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie runs nothing any more.
    return fields[0] === "Z" || fields[0] === "X" ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

function isAlive({ pid, pidStart }: MonitorState): boolean {
  return processStart(pid) === pidStart;
}

function isWatched({ monitor, monitorStart }: MonitorState): boolean {
  return processStart(monitor) === monitorStart;
}

/** The state of a container now. */
export function readState(paths: Paths, id: string): ContainerState {
  const files = containerPaths(paths, id);
  const running = readJson<MonitorState>(files.state);
  const exit = readJson<{ code: number; oom: boolean; finished: string }>(files.exit);
  // Between the container's end and the record of it the monitor is still there.
  if (exit === undefined && running !== undefined && (isAlive(running) || isWatched(running)))
    return { status: "running", pid: running.pid, monitor: running.monitor, started: running.started };
  if (exit !== undefined)
    return { status: "exited", code: exit.code, oomKilled: exit.oom, finished: exit.finished };
  if (!existsSync(files.started)) return { status: "created" };
  // It ran, and neither it nor a record of its end is left: the machine or the monitor died.
  return {
    status: "exited",
    code: 255,
    oomKilled: false,
    finished: running?.started ?? "0001-01-01T00:00:00Z",
    error: LOST,
  };
}

/** The container's monitor, while it is there: after the exit is recorded it ends the log and cleans up. */
export function monitorPid(paths: Paths, id: string): number | undefined {
  const state = readJson<MonitorState>(containerPaths(paths, id).state);
  return state !== undefined && isWatched(state) ? state.monitor : undefined;
}

export function hasMonitor(paths: Paths, id: string): boolean {
  return monitorPid(paths, id) !== undefined;
}

/** When the container was started last; undefined when never. */
export function startedAt(paths: Paths, id: string): string | undefined {
  return readJson<MonitorState>(containerPaths(paths, id).state)?.started;
}
