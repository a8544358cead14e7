/** Which cgroup hierarchies this machine has: v1, v2, or both (hybrid). From /proc/self/mountinfo. */
import { readFileSync } from "node:fs";

export interface CgroupLayout {
  /** Where the unified hierarchy is mounted, if it carries controllers bocker can use. */
  unified: string | undefined;
  /** v1: the mount point of each controller. */
  controllers: ReadonlyMap<string, string>;
}

/** mountinfo writes space, tab, newline and backslash as octal escapes (proc(5)). */
export function unescapeMountPath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Reads the layout out of a mountinfo file's content. */
export function parseLayout(mountinfo: string): CgroupLayout {
  const controllers = new Map<string, string>();
  let unified: string | undefined;
  for (const line of mountinfo.split("\n")) {
    const dash = line.indexOf(" - cgroup");
    if (dash < 0) continue;
    const target = unescapeMountPath(line.split(" ", 5)[4] ?? "");
    const [type, , options = ""] = line.slice(dash + 3).split(" ");
    if (type === "cgroup2") unified ??= target;
    else for (const option of options.split(",")) if (option !== "rw") controllers.set(option, target);
  }
  // In a hybrid set-up the controllers are v1's; the unified tree then only names processes.
  return { unified: controllers.has("memory") || controllers.has("pids") ? undefined : unified, controllers };
}

export function readLayout(): CgroupLayout {
  return parseLayout(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** Every directory that a cgroup of this name would have. */
export function cgroupDirectories(name: string, layout: CgroupLayout = readLayout()): string[] {
  const roots = layout.unified === undefined ? new Set(layout.controllers.values()) : [layout.unified];
  return [...roots].map((root) => `${root}/${name}`);
}
