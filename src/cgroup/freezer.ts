/** Stopping and resuming all processes of a cgroup at once (cgroup-v1/freezer-subsystem, cgroup-v2 cgroup.freeze). */
import { type CgroupLayout, readLayout } from "./layout.ts";

export interface Freezer {
  /** The file, and what is written to it. */
  path: string;
  freeze: string;
  thaw: string;
}

/** The freezer of the cgroup `name`; undefined where the machine has none. */
export function cgroupFreezer(name: string, layout: CgroupLayout = readLayout()): Freezer | undefined {
  if (layout.unified !== undefined)
    return { path: `${layout.unified}/${name}/cgroup.freeze`, freeze: "1", thaw: "0" };
  const root = layout.controllers.get("freezer");
  return root === undefined
    ? undefined
    : { path: `${root}/${name}/freezer.state`, freeze: "FROZEN", thaw: "THAWED" };
}
