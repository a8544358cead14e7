/** What the kernel says of a process, from outside of its container. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { untilSync } from "../wait.ts";

/** A field of /proc/PID/status, or of a text in its form. */
export function statusField(source: number | string, name: string): string | undefined {
  const text = typeof source === "number" ? readFileSync(`/proc/${source}/status`, "utf8") : source;
  return new RegExp(`^${name}:[\\t ]*(.*?)[\\t ]*$`, "m").exec(text)?.[1];
}

/** Soft and hard limit from /proc/PID/limits: "Max open files". */
export function limitOf(pid: number, name: string): [soft: string, hard: string] {
  const line = readFileSync(`/proc/${pid}/limits`, "utf8")
    .split("\n")
    .find((text) => text.startsWith(name));
  const [soft = "", hard = ""] = line?.slice(name.length).trim().split(/\s+/) ?? [];
  return [soft, hard];
}

/** The machine mounts each controller by itself (version 1), or all of them at once. */
const VERSION_1 = existsSync("/sys/fs/cgroup/memory");

/** A process's directory in a controller's hierarchy. */
export function cgroupDirectory(pid: number, controller: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n");
  const own = lines
    .map((line) => line.split(":"))
    .find(([, names]) => (VERSION_1 ? names?.split(",").includes(controller) : names === ""));
  return join("/sys/fs/cgroup", VERSION_1 ? controller : "", own?.slice(2).join(":") ?? "/missing");
}

/** A setting of a process's cgroup: `[controller, version 1's file, version 2's file]`. */
export function cgroupValue(
  pid: number,
  [controller, first, second]: readonly [string, string, string],
): string {
  return readFileSync(join(cgroupDirectory(pid, controller), VERSION_1 ? first : second), "utf8").trim();
}

/** `one` where the machine has cgroup version 1, else `two`. */
export function byVersion<T>(one: T, two: T): T {
  return VERSION_1 ? one : two;
}

export interface Mount {
  /** What of the filesystem is mounted. */
  root: string;
  target: string;
  options: string[];
  type: string;
  source: string;
  superOptions: string[];
  /** "shared:N", "master:N"; empty for private. */
  propagation: string[];
}

/** The lines of a mountinfo file. */
export function parseMounts(text: string): Mount[] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [, , , root = "", target = "", options = "", ...propagation] = before.split(" ");
      const [type = "", source = "", superOptions = ""] = after.split(" ");
      return {
        root,
        target,
        options: options.split(","),
        type,
        source,
        superOptions: superOptions.split(","),
        propagation,
      };
    });
}

export function mountsOf(pid: number): Mount[] {
  return parseMounts(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
}

/** The mount that is seen at a place: the last one there. */
export function mountAt(mounts: Mount[], target: string): Mount | undefined {
  return mounts.findLast((mount) => mount.target === target);
}

/** Waits until a process that was killed is none any more: while its namespaces are taken down it still looks as if it ran. */
export function awaitEnd(pid: number): void {
  const isThere = () => {
    try {
      return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return false;
    }
  };
  untilSync(() => !isThere());
}
