/** cgroup v1: one directory for each controller that bocker uses, directly below its mount point. */
import type { RuntimeResources } from "../../spec/runtime.ts";
import type { CgroupPlan, CgroupWrite } from "../contribution.ts";
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

/**
 * @param name the cgroup's name, unique on the machine
 * @param inherited cpus and mems of the cpuset root, which a new cpuset lacks
 */
export function planV1(
  controllers: ReadonlyMap<string, string>,
  name: string,
  resources: RuntimeResources,
  inherited: { cpus: string; mems: string },
): CgroupPlan {
  const directories = new Map<string, string>();
  const wantsCpuset = resources.cpu?.cpus !== undefined || resources.cpu?.mems !== undefined;
  for (const controller of [...ALWAYS, ...(wantsCpuset ? ["cpuset"] : [])]) {
    const root = controllers.get(controller);
    if (root !== undefined) directories.set(controller, `${root}/${name}`);
  }
  const limits: CgroupWrite[] = [];
  const devices = directories.get("devices");
  if (devices !== undefined) limits.push(...deviceLines(devices, resources.devices));
  const memory = directories.get("memory");
  if (memory !== undefined) limits.push(...memoryWrites(memory, resources.memory));
  const cpu = directories.get("cpu");
  if (cpu !== undefined) limits.push(...cpuWrites(cpu, resources.cpu));
  const pids = directories.get("pids");
  if (pids !== undefined && resources.pids !== undefined && resources.pids.limit > 0)
    limits.push({
      path: `${pids}/pids.max`,
      value: String(resources.pids.limit),
      why: "at most this many tasks",
    });
  const cpuset = directories.get("cpuset");
  if (cpuset !== undefined)
    limits.push(
      { path: `${cpuset}/cpuset.mems`, value: resources.cpu?.mems ?? inherited.mems, why: "memory nodes" },
      {
        path: `${cpuset}/cpuset.cpus`,
        value: resources.cpu?.cpus ?? inherited.cpus,
        why: "only these processors",
      },
    );
  const unique = [...new Set(directories.values())];
  return {
    directories: unique,
    limits,
    enter: unique.map((directory) => `${directory}/tasks`),
    cloneInto: undefined,
    binds: unique.map((directory) => [directory, `/sys/fs/cgroup/${directory.split("/").at(-2)}`]),
    oomPath: memory === undefined ? "" : `${memory}/memory.oom_control`,
    deviceProgram: undefined,
  };
}
