/** `stats`: what a container uses, as its cgroups and its network namespace count. */
import { type CgroupLayout, readLayout } from "../cgroup/layout.ts";
import { type CgroupUsage, cgroupUsage } from "../cgroup/usage.ts";
import { readTextIfExists } from "../os/host-files.ts";
import { isSystemError } from "../os/system-error.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { readState } from "../state/status.ts";
import { containerCgroup } from "./cgroup.ts";
import type { Engine } from "./engine.ts";

/** At one moment. */
export interface ContainerUsage extends CgroupUsage {
  /** Milliseconds of the monotonic clock. */
  at: number;
  network: { received: number; sent: number };
}

/** Columns of /proc/PID/net/dev behind the colon. */
const [RECEIVED, SENT] = [0, 8];

/** Bytes through all interfaces but the loopback, as a file of /proc/PID/net/dev has them. */
function networkOf(text: string): ContainerUsage["network"] {
  const counters = text
    .split("\n")
    .map((line) => /^\s*([^:\s]+):\s*(.*)$/.exec(line))
    .filter((match) => match !== null && match[1] !== "lo")
    .map((match) => match![2]!.split(/\s+/).map(Number));
  const sum = (column: number) => counters.reduce((total, row) => total + (row[column] ?? 0), 0);
  return { received: sum(RECEIVED), sent: sum(SENT) };
}

/** The counters of a process's network; none of one that has ended. */
function readNetwork(pid: number): string {
  try {
    return readTextIfExists(`/proc/${pid}/net/dev`) ?? "";
  } catch (error) {
    if (isSystemError(error, "ESRCH", "EINVAL")) return "";
    throw error;
  }
}

/** Undefined for a container that does not run. The host's network is not the container's: nothing is counted for it, as by Docker. */
export function containerUsage(
  engine: Engine,
  record: ContainerRecord,
  layout: CgroupLayout = readLayout(),
): ContainerUsage | undefined {
  const state = readState(engine.paths, record.id);
  if (state.status !== "running") return undefined;
  const usage = cgroupUsage(containerCgroup(record), layout);
  if (usage === undefined) return undefined;
  const network = networkOf(record.host.networkMode === "host" ? "" : readNetwork(state.pid));
  return { ...usage, at: performance.now(), network };
}

/** Processors in use between two moments, in percent of one. */
export function cpuPercent(before: ContainerUsage | undefined, now: ContainerUsage): number {
  if (before === undefined || now.at <= before.at || now.cpu < before.cpu) return 0;
  return (now.cpu - before.cpu) / 1e4 / (now.at - before.at);
}
