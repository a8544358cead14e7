/** The cgroups that another process of a container joins: those in which its first process is now. */
import { BockerError } from "../base/errors.ts";
import { type CgroupLayout, parseMembership, placeIn, readLayout } from "./layout.ts";
import { type Read, readHere } from "./read.ts";

export interface CgroupJoin {
  /** Files that the process writes "0" to, to move itself (v1). */
  enter: string[];
  /** The directory clone3 puts the process in (v2). */
  cloneInto: string | undefined;
}

/**
 * The first process need not be where it was put: an engine in the container may have moved it to a cgroup below,
 * to hand down controllers, and then the container's own can have no processes any more. One outside of the
 * container's cgroup was not put there by the container, which cannot see any.
 * @param path the container's cgroup below each mount
 * @param pid of its first process
 * @throws BockerError "start-failed" for a process that is in none of the container's cgroups: no limit would hold
 */
export function planJoin(
  path: string,
  pid: number,
  layout: CgroupLayout = readLayout(),
  read: Read = readHere,
): CgroupJoin {
  const membership = parseMembership(read(`/proc/${pid}/cgroup`) ?? "");
  const join: CgroupJoin = { enter: [], cloneInto: undefined };
  for (const hierarchy of layout.hierarchies) {
    const place = placeIn(hierarchy, membership);
    if (place === undefined || (place !== path && !place.startsWith(`${path}/`))) continue;
    const directory = `${hierarchy.mount}${place}`;
    if (hierarchy.version === 1) join.enter.push(`${directory}/tasks`);
    else join.cloneInto = directory;
  }
  const limited = layout.unified !== undefined || layout.controllers.size > 0;
  if (limited && join.enter.length === 0 && join.cloneInto === undefined)
    throw new BockerError("start-failed", `process ${pid} of the container is not in its cgroup ${path}`);
  return join;
}
