/** Stopping and resuming all processes of a cgroup at once (cgroup-v1/freezer-subsystem, cgroup-v2 cgroup.freeze). */
import { type CgroupLayout, readLayout } from "./layout.ts";

export interface Freezer {
  /** The file, and what is written to it. */
  path: string;
  freeze: string;
  thaw: string;
  /** Processes stop one after the other: the file that says when all have, and how. */
  statePath: string;
  frozen: RegExp;
}

/** The freezer of a cgroup, by its path below the mounts; undefined where the machine has none. */
export function cgroupFreezer(path: string, layout: CgroupLayout = readLayout()): Freezer | undefined {
  if (layout.unified !== undefined)
    return {
      path: `${layout.unified.mount}${path}/cgroup.freeze`,
      freeze: "1",
      thaw: "0",
      statePath: `${layout.unified.mount}${path}/cgroup.events`,
      frozen: /^frozen 1$/m,
    };
  const hierarchy = layout.controllers.get("freezer");
  if (hierarchy === undefined) return undefined;
  const file = `${hierarchy.mount}${path}/freezer.state`;
  return { path: file, freeze: "FROZEN", thaw: "THAWED", statePath: file, frozen: /^FROZEN$/m };
}
