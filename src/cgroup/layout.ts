/** Which cgroup hierarchies this machine has: v1, v2, or both (hybrid), and where this process is in them. */
import { linesWith } from "../base/lines.ts";
import { type Read, readHere } from "./read.ts";

export interface Hierarchy {
  version: 1 | 2;
  /** Where it is mounted. */
  mount: string;
  /** Which of its cgroups is seen there: "/" for the whole tree. */
  root: string;
  /** v1: its controllers, or `name=…`; as /proc/PID/cgroup has them. Empty for v2. */
  names: string[];
  /** This process's cgroup, as a path below the mount; "" for its top. */
  own: string;
}

export interface CgroupLayout {
  /** Every hierarchy that is mounted, once. */
  hierarchies: Hierarchy[];
  /** The unified hierarchy, if it carries controllers bocker can use. */
  unified: Hierarchy | undefined;
  /** v1: the hierarchy of each controller. */
  controllers: ReadonlyMap<string, Hierarchy>;
  /** Those without controllers: by them a service manager knows which process belongs to which service. */
  naming: Hierarchy[];
}

/** mountinfo writes space, tab, newline and backslash as octal escapes (proc(5)). */
export function unescapeMountPath(path: string): string {
  if (!path.includes("\\")) return path;
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** `/proc/PID/cgroup`: a process's path in each hierarchy, by controller or name; v2's by "". */
export function parseMembership(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split("\n")) {
    const first = line.indexOf(":");
    const second = line.indexOf(":", first + 1);
    if (first < 0 || second < 0) continue;
    const path = line.slice(second + 1);
    for (const name of line.slice(first + 1, second).split(",")) paths.set(name, path);
  }
  return paths;
}

/** A path of /proc/PID/cgroup as one below the hierarchy's mount; undefined for one that is not seen there. */
export function pathBelow({ root }: Pick<Hierarchy, "root">, path: string): string | undefined {
  const top = root === "/" ? "" : root;
  if (path === top || path === `${top}/`) return "";
  return path.startsWith(`${top}/`) && !path.startsWith("/../") ? path.slice(top.length) : undefined;
}

/** Where a process is in a hierarchy, below its mount. */
export function placeIn(hierarchy: Hierarchy, membership: ReadonlyMap<string, string>): string | undefined {
  const path = membership.get(hierarchy.names[0] ?? "");
  return path === undefined ? undefined : pathBelow(hierarchy, path);
}

/** What a line of mountinfo has that is a cgroup's. */
export const CGROUP_MOUNT = " - cgroup";

/** The mounts of a mountinfo file that are cgroups; the last at a place is the one that is seen there. */
function mountsOf(mountinfo: string, known: ReadonlyMap<string, string>): Hierarchy[] {
  const byMount = new Map<string, Hierarchy>();
  for (const line of linesWith(mountinfo, CGROUP_MOUNT)) {
    const dash = line.indexOf(CGROUP_MOUNT);
    const [, , , root = "", target = ""] = line.split(" ", 5);
    const [type, , options = ""] = line.slice(dash + 3).split(" ");
    const mount = unescapeMountPath(target);
    const version = type === "cgroup2" ? 2 : 1;
    // Among a v1 mount's options are its controllers and its name, which /proc/PID/cgroup has, too.
    const names = version === 2 ? [] : options.split(",").filter((option) => known.has(option));
    byMount.set(mount, { version, mount, root: unescapeMountPath(root), names, own: "" });
  }
  return [...byMount.values()];
}

/** The layout that a mountinfo file and a /proc/self/cgroup file describe. */
export function parseLayout(mountinfo: string, membership: string): CgroupLayout {
  const own = parseMembership(membership);
  const byName = new Map<string, Hierarchy>();
  for (const one of mountsOf(mountinfo, own)) {
    const key = one.names.join(",");
    // One may be mounted again elsewhere, in a chroot for one; the first is the machine's own.
    if (!byName.has(key)) byName.set(key, { ...one, own: placeIn(one, own) ?? "" });
  }
  const hierarchies = [...byName.values()];
  const controllers = new Map<string, Hierarchy>();
  for (const one of hierarchies)
    for (const name of one.names) if (!name.startsWith("name=")) controllers.set(name, one);
  // In a hybrid set-up the controllers are v1's; the unified tree then only names processes.
  const hybrid = controllers.has("memory") || controllers.has("pids");
  const unified = hybrid ? undefined : hierarchies.find(({ version }) => version === 2);
  const carrying = new Set<Hierarchy | undefined>([unified, ...controllers.values()]);
  return { hierarchies, unified, controllers, naming: hierarchies.filter((one) => !carrying.has(one)) };
}

export function readLayout(read: Read = readHere): CgroupLayout {
  return parseLayout(read("/proc/self/mountinfo") ?? "", read("/proc/self/cgroup") ?? "");
}

/** Every directory that a cgroup of this path would have. */
export function cgroupDirectories(path: string, layout: CgroupLayout = readLayout()): string[] {
  return layout.hierarchies.map(({ mount }) => `${mount}${path}`);
}
