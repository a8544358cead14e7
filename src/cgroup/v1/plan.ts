/** cgroup v1: one directory for each controller that bocker uses, at the same path below its mount point. */
import type { RuntimeResources } from "../../spec/runtime.ts";
import type { CgroupPlan, CgroupWrite } from "../contribution.ts";
import type { Hierarchy } from "../layout.ts";
import { pathsAbove } from "../place.ts";
import type { Read } from "../read.ts";
import { handDownCpuset } from "./cpuset.ts";
import { deviceLines } from "./devices.ts";

/** Always: device access, memory and its OOM events, cpu time, process count, pause. */
const ALWAYS = ["devices", "memory", "cpu", "cpuacct", "pids", "freezer"];

function memoryWrites(directory: string, memory: RuntimeResources["memory"]): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const why = "the kernel reclaims, then kills, at this many bytes";
  if (memory?.limit !== undefined)
    writes.push({ path: `${directory}/memory.limit_in_bytes`, value: String(memory.limit), why });
  if (memory?.swap !== undefined)
    writes.push({
      path: `${directory}/memory.memsw.limit_in_bytes`,
      value: String(memory.swap),
      why: "memory and swap together",
    });
  if (memory?.reservation !== undefined)
    writes.push({
      path: `${directory}/memory.soft_limit_in_bytes`,
      value: String(memory.reservation),
      why: "reclaimed down to this when memory is short",
    });
  return writes;
}

function cpuWrites(directory: string, cpu: RuntimeResources["cpu"]): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (cpu?.shares !== undefined)
    writes.push({ path: `${directory}/cpu.shares`, value: String(cpu.shares), why: "relative weight" });
  if (cpu?.period !== undefined)
    writes.push({
      path: `${directory}/cpu.cfs_period_us`,
      value: String(cpu.period),
      why: "accounting period",
    });
  if (cpu?.quota !== undefined)
    writes.push({
      path: `${directory}/cpu.cfs_quota_us`,
      value: String(cpu.quota),
      why: "cpu time a period",
    });
  return writes;
}

function pidsWrites(directory: string, pids: RuntimeResources["pids"]): CgroupWrite[] {
  if (pids === undefined || pids.limit <= 0) return [];
  return [{ path: `${directory}/pids.max`, value: String(pids.limit), why: "at most this many tasks" }];
}

function cpusetWrites(
  directory: string,
  cpu: RuntimeResources["cpu"],
  inherited: { cpus: string; mems: string },
): CgroupWrite[] {
  return [
    { path: `${directory}/cpuset.mems`, value: cpu?.mems ?? inherited.mems, why: "memory nodes" },
    { path: `${directory}/cpuset.cpus`, value: cpu?.cpus ?? inherited.cpus, why: "only these processors" },
  ];
}

/** @param path the cgroup's, below each mount, unique on the machine */
export function planV1(
  controllers: ReadonlyMap<string, Hierarchy>,
  path: string,
  resources: RuntimeResources,
  read: Read,
): CgroupPlan {
  const wantsCpuset = resources.cpu?.cpus !== undefined || resources.cpu?.mems !== undefined;
  const used = [...ALWAYS, ...(wantsCpuset ? ["cpuset"] : [])].flatMap((name) => controllers.get(name) ?? []);
  const mounts = [...new Set(used.map(({ mount }) => mount))];
  const limits: CgroupWrite[] = [];
  const limit = (controller: string, writes: (directory: string) => CgroupWrite[]) => {
    const hierarchy = controllers.get(controller);
    if (hierarchy !== undefined) limits.push(...writes(`${hierarchy.mount}${path}`));
  };
  limit("devices", (directory) => deviceLines(directory, resources.devices));
  limit("memory", (directory) => memoryWrites(directory, resources.memory));
  limit("cpu", (directory) => cpuWrites(directory, resources.cpu));
  limit("pids", (directory) => pidsWrites(directory, resources.pids));
  const cpuset = wantsCpuset ? controllers.get("cpuset") : undefined;
  const above = cpuset === undefined ? undefined : handDownCpuset(cpuset.mount, pathsAbove(path), read);
  if (above !== undefined)
    limit("cpuset", (directory) => cpusetWrites(directory, resources.cpu, above.inherited));
  const directories = mounts.map((mount) => `${mount}${path}`);
  const memory = controllers.get("memory");
  return {
    version: 1,
    evacuation: undefined,
    parents: mounts.flatMap((mount) => pathsAbove(path).map((above) => `${mount}${above}`)),
    handDown: above?.writes ?? [],
    directories,
    limits,
    enter: directories.map((directory) => `${directory}/tasks`),
    cloneInto: undefined,
    binds: mounts.map((mount) => [`${mount}${path}`, `/sys/fs/cgroup/${mount.split("/").at(-1)}`]),
    oomPath: memory === undefined ? "" : `${memory.mount}${path}/memory.oom_control`,
    deviceProgram: undefined,
  };
}
