/** `top`: a container's processes, as the machine sees them. */
import { BockerError } from "../base/errors.ts";
import { type CgroupLayout, readLayout } from "../cgroup/layout.ts";
import { readHere, words } from "../cgroup/read.ts";
import { exists, isDirectory, listNames, readBytes, readTextIfExists } from "../os/host-files.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { processFields, readState } from "../state/status.ts";
import { containerCgroup } from "./cgroup.ts";
import type { Engine } from "./engine.ts";

export interface ProcessTable {
  titles: string[];
  /** As many cells as titles. */
  rows: string[][];
}

/** Of /proc/PID/stat, which count so. */
const TICKS_PER_SECOND = 100;
const TITLES = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
/** proc(5): fields of /proc/PID/stat behind the name, of which the first is the third. */
const FIELD = { parent: 1, terminal: 4, userTime: 11, systemTime: 12, start: 19 };
/** Majors of pseudo terminals (Documentation/admin-guide/devices.txt). */
const [FIRST_PTS_MAJOR, LAST_PTS_MAJOR] = [136, 143];
const TTY_MAJOR = 4;

function pidsBelow(directory: string): number[] {
  const below = listNames(directory)
    .map((name) => `${directory}/${name}`)
    .filter(isDirectory);
  const own = words(readHere(`${directory}/cgroup.procs`)).map(Number);
  return [...own, ...below.flatMap(pidsBelow)];
}

/** Any hierarchy that it has a cgroup in will do: it has one in all of bocker's. */
function cgroupDirectory(record: ContainerRecord, layout: CgroupLayout): string | undefined {
  const { unified, controllers } = layout;
  const hierarchies = [...(unified === undefined ? [] : [unified]), ...controllers.values()];
  return hierarchies.map(({ mount }) => `${mount}${containerCgroup(record)}`).find(exists);
}

function pidsOf(engine: Engine, record: ContainerRecord): number[] {
  if (readState(engine.paths, record.id).status !== "running")
    throw new BockerError("not-running", `container ${record.id} is not running`);
  const directory = cgroupDirectory(record, readLayout());
  return directory === undefined ? [] : [...new Set(pidsBelow(directory))].sort((a, b) => a - b);
}

function userNames(): Map<number, string> {
  const lines = (readTextIfExists("/etc/passwd") ?? "").split("\n").map((line) => line.split(":"));
  return new Map(lines.reverse().map(([name = "", , uid]) => [Number(uid), name]));
}

function terminalName(number: number): string {
  const [major, minor] = [(number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xfff00)];
  if (major >= FIRST_PTS_MAJOR && major <= LAST_PTS_MAJOR)
    return `pts/${(major - FIRST_PTS_MAJOR) * 256 + minor}`;
  return major === TTY_MAJOR ? `tty${minor}` : "?";
}

/** As ps has it: the hour today, the day this year, else the year. */
function startName(start: Date, now: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  if (start.getFullYear() !== now.getFullYear()) return String(start.getFullYear());
  if (start.toDateString() === now.toDateString())
    return `${two(start.getHours())}:${two(start.getMinutes())}`;
  return `${start.toDateString().slice(4, 7)}${two(start.getDate())}`;
}

function duration(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

function rowOf(pid: number, names: ReadonlyMap<number, string>, uptime: number): string[] | undefined {
  const stat = processFields(pid);
  const status = readHere(`/proc/${pid}/status`);
  // It has ended.
  if (stat === undefined || status === undefined) return undefined;
  const fields = stat.fields.map(Number);
  const seconds = (fields[FIELD.userTime]! + fields[FIELD.systemTime]!) / TICKS_PER_SECOND;
  const age = Math.max(uptime - fields[FIELD.start]! / TICKS_PER_SECOND, 0);
  const now = new Date();
  const uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1]);
  return [
    names.get(uid) ?? String(uid),
    String(pid),
    String(fields[FIELD.parent]),
    String(Math.min(age > 0 ? Math.floor((seconds / age) * 100) : 0, 99)),
    startName(new Date(now.getTime() - age * 1000), now),
    terminalName(fields[FIELD.terminal]!),
    duration(seconds),
    commandLine(pid) || `[${stat.name}]`,
  ];
}

/** Its words, with spaces between; "" of what has none. */
function commandLine(pid: number): string {
  try {
    return readBytes(`/proc/${pid}/cmdline`).toString().replace(/\0+$/, "").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/**
 * What `ps -ef` of the machine would show of a running container's processes.
 * @throws BockerError "not-running"
 */
export function processList(engine: Engine, record: ContainerRecord): ProcessTable {
  const uptime = Number((readHere("/proc/uptime") ?? "0").split(" ")[0]);
  const names = userNames();
  const rows = pidsOf(engine, record).flatMap((pid) => {
    const row = rowOf(pid, names, uptime);
    return row === undefined ? [] : [row];
  });
  return { titles: TITLES, rows };
}

const PS = ["/usr/bin/ps", "/bin/ps"];

/**
 * What the machine's ps(1) shows of them with options of the caller's own. It sees all processes: none of the container's
 * programs is run.
 * @throws BockerError "not-running", "platform" without ps, "invalid" for options that it refuses or that
 *   show no PID
 */
export async function processListBy(
  engine: Engine,
  record: ContainerRecord,
  options: readonly string[],
): Promise<ProcessTable> {
  const pids = new Set(pidsOf(engine, record).map(String));
  const program = PS.find(exists);
  if (program === undefined)
    throw new BockerError("platform", "options of ps need the machine's ps(1): install procps, or give none");
  const { spawnSync } = await import("node:child_process");
  const env = { PATH: "/usr/bin:/bin", COLUMNS: "4096" };
  const { status, stdout, stderr } = spawnSync(program, options, { env, encoding: "utf8" });
  if (status !== 0) throw new BockerError("invalid", `ps: ${stderr.trim().split("\n")[0] ?? "it failed"}`);
  const [head = "", ...lines] = stdout.split("\n").filter((line) => line !== "");
  const titles = head.trim().split(/\s+/);
  const column = titles.indexOf("PID");
  if (column < 0) throw new BockerError("invalid", "Couldn't find PID field in ps output");
  // The last has what is left, with its spaces.
  const cells = new RegExp(`^\\s*${"(\\S+)\\s+".repeat(titles.length - 1)}(.*)$`);
  const rows = lines
    .map((line) => cells.exec(line)?.slice(1) ?? line.trim().split(/\s+/))
    .filter((row) => pids.has(row[column] ?? ""));
  return { titles, rows };
}
