/**
 * Controllers work in a v2 cgroup only when every cgroup above it hands them down, in its cgroup.subtree_control.
 *
 * The parent of bocker's containers does so itself, and that keeps them on: what a child hands down cannot be
 * switched off above it (EBUSY). systemd, whose tree this is, switches off at the top what its own units no longer need.
 */
import type { CgroupPlan, CgroupWrite } from "../contribution.ts";
import { type Read, words } from "../read.ts";

/** For limits, and for statistics. */
const WANTED = ["cpu", "cpuset", "io", "memory", "pids"];

/** Where those go that stand in the way; the name that Docker's image of itself uses (moby hack/dind). */
const EVACUATED = "init";

/**
 * Only the hierarchy's real top may have processes and hand down controllers. In a cgroup namespace, that is in
 * another container, the top that is seen is none: its processes must leave it first (cgroup-v2.rst, "No Internal
 * Process Constraint").
 */
function evacuationOf(mount: string, read: Read): CgroupPlan["evacuation"] {
  // The real top has no type.
  if (read(`${mount}/cgroup.type`) === undefined) return undefined;
  if (words(read(`${mount}/cgroup.procs`)).length === 0) return undefined;
  return { from: mount, to: `${mount}/${EVACUATED}` };
}

function subtreeControl(directory: string): string {
  return `${directory}/cgroup.subtree_control`;
}

function handDown(directory: string, missing: string[]): CgroupWrite[] {
  if (missing.length === 0) return [];
  return [
    {
      path: subtreeControl(directory),
      value: missing.map((name) => `+${name}`).join(" "),
      why: "controllers work in a cgroup only when those above it hand them down, and then none can be switched off above",
    },
  ];
}

/**
 * What is to be done so that limits work below the innermost of `parents`.
 * @param parents directories below the mount, the outermost first; they may be missing
 */
export function planHandDown(
  mount: string,
  parents: string[],
  read: Read,
): Pick<CgroupPlan, "handDown" | "evacuation"> {
  const needed = words(read(`${mount}/cgroup.controllers`)).filter((name) => WANTED.includes(name));
  const missing = (directory: string) => {
    const enabled = words(read(subtreeControl(directory)));
    return needed.filter((name) => !enabled.includes(name));
  };
  // What the innermost hands down, all above it hand down, too: mostly this is the only one to look at.
  if (missing(parents.at(-1) ?? mount).length === 0) return { handDown: [], evacuation: undefined };
  const writes = [mount, ...parents].flatMap((directory) => handDown(directory, missing(directory)));
  const atTop = writes[0]?.path === subtreeControl(mount);
  return { handDown: writes, evacuation: atTop ? evacuationOf(mount, read) : undefined };
}
