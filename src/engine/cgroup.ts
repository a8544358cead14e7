/** Where a container's cgroups are, below each hierarchy's mount. */
import { cgroupPath } from "../cgroup/place.ts";
import type { ContainerRecord } from "../spec/container.ts";

export function containerCgroup(record: ContainerRecord): string {
  return cgroupPath(record.host.cgroupParent, record.id);
}
