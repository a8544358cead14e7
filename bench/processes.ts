/** Which processes are there, and what they cost. The bench has a pid namespace: all of them are its own. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export function pids(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid));
}

/** True for a process of a container: it has a pid namespace of its own. */
export function isContained(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) !== readlinkSync("/proc/self/ns/pid");
  } catch {
    return false;
  }
}

/** Proportional set size in KiB: shared pages count as much as they are shared. 0 for one that has gone. */
export function proportionalSize(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

export function interfaces(): number {
  return readdirSync("/sys/class/net").length;
}
