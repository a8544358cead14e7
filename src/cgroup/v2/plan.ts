/** cgroup v2: one directory, entered at birth (CLONE_INTO_CGROUP), devices decided by an eBPF program. */
import type { RuntimeResources } from "../../spec/runtime.ts";
import type { CgroupPlan, CgroupWrite } from "../contribution.ts";
import type { Hierarchy } from "../layout.ts";
import { pathsAbove } from "../place.ts";
import type { Read } from "../read.ts";
import { planHandDown } from "./controllers.ts";
import { deviceProgram } from "./devices.ts";

/** v1 shares (2..262144) to v2 weight (1..10000), as runc and crun convert. */
function weightOfShares(shares: number): number {
  return Math.floor(1 + ((Math.min(Math.max(shares, 2), 262144) - 2) * 9999) / 262142);
}

function memoryWrites(directory: string, memory: RuntimeResources["memory"]): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (memory?.limit !== undefined)
    writes.push({
      path: `${directory}/memory.max`,
      value: String(memory.limit),
      why: "the kernel reclaims, then kills, at this many bytes",
    });
  if (memory?.swap !== undefined) {
    // Docker's figure is memory and swap together; v2 limits swap alone.
    const swap = memory.swap === -1 ? "max" : String(Math.max(0, memory.swap - (memory.limit ?? 0)));
    writes.push({ path: `${directory}/memory.swap.max`, value: swap, why: "swap beside the memory limit" });
  }
  if (memory?.reservation !== undefined)
    writes.push({
      path: `${directory}/memory.low`,
      value: String(memory.reservation),
      why: "reclaimed down to this only when nothing else is left",
    });
  return writes;
}

function cpuWrites(directory: string, cpu: RuntimeResources["cpu"]): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (cpu?.shares !== undefined)
    writes.push({
      path: `${directory}/cpu.weight`,
      value: String(weightOfShares(cpu.shares)),
      why: "relative weight",
    });
  if (cpu?.quota !== undefined)
    writes.push({
      path: `${directory}/cpu.max`,
      value: `${cpu.quota < 0 ? "max" : cpu.quota} ${cpu.period ?? 100000}`,
      why: "cpu time a period",
    });
  if (cpu?.cpus !== undefined)
    writes.push({ path: `${directory}/cpuset.cpus`, value: cpu.cpus, why: "only these processors" });
  if (cpu?.mems !== undefined)
    writes.push({ path: `${directory}/cpuset.mems`, value: cpu.mems, why: "only these memory nodes" });
  return writes;
}

/** @param path the cgroup's, below the mount, unique on the machine */
export function planV2(
  { mount }: Pick<Hierarchy, "mount">,
  path: string,
  resources: RuntimeResources,
  read: Read,
): CgroupPlan {
  const directory = `${mount}${path}`;
  const parents = pathsAbove(path).map((above) => `${mount}${above}`);
  const limits = [...memoryWrites(directory, resources.memory), ...cpuWrites(directory, resources.cpu)];
  if (resources.pids !== undefined && resources.pids.limit > 0)
    limits.push({
      path: `${directory}/pids.max`,
      value: String(resources.pids.limit),
      why: "at most this many tasks",
    });
  return {
    version: 2,
    ...planHandDown(mount, parents, read),
    parents,
    directories: [directory],
    limits,
    enter: [],
    cloneInto: directory,
    binds: [],
    oomPath: `${directory}/memory.events`,
    deviceProgram: deviceProgram(resources.devices),
  };
}
