/** What of the machine the facts depend on: elsewhere only those that do not are held to what is kept. */
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { groupOf, keyOf } from "./facts.ts";
import type { MachineOfFacts } from "./kept.ts";

function field(file: string, pattern: RegExp): string {
  return pattern.exec(readFileSync(file, "utf8"))?.[1] ?? "";
}

export function machineOfFacts(): MachineOfFacts {
  const controllers = readFileSync("/proc/self/cgroup", "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(":")[1] || "v2")
    .sort();
  return {
    kernel: release(),
    architecture: process.arch,
    cgroups: controllers.join(" "),
    capabilities: field("/proc/self/status", /^CapBnd:\t(\w+)$/m),
    size: [
      `${cpus().length} processors`,
      `${Math.round(totalmem() / 2 ** 30)} GiB`,
      `${field("/proc/self/limits", /^Max open files +(?:\S+) +(\S+)/m)} files`,
      `${field("/proc/self/limits", /^Max processes +(?:\S+) +(\S+)/m)} processes`,
    ].join(", "),
  };
}

/** Groups that are the same on every machine of the architecture. */
const EVERYWHERE =
  /^(capabilities|environment|descriptors|dev|root|names|namespaces|terminal|process|mounts|sysctls|filter( \w+)?)$/;
/** But for these: what the processor, the kernel's configuration and its version of cgroups decide. */
const ELSEWHERE: Record<string, RegExp> = {
  process:
    /^(Speculation|Cpus_|Mems_|THP|no huge|store bypass|indirect branch|io flusher|memory|autogroup|loginuid|sessionid|attr\/current|projid_map|timens)/,
  namespaces: /^(cgroup|time)$/,
  mounts: /^(?!\/(proc|dev|dev\/pts|dev\/shm|dev\/mqueue|sys|etc\/\w+) (type|options|propagation)$)/,
  sysctls:
    /^(?!net\/ipv4\/(ping_group_range|ip_unprivileged_port_start)$|net\/ipv6\/conf\/\w+\/disable_ipv6$)/,
};

/** Whether a fact of a container without special rights is the same on any machine of the architecture. */
export function isPortable(name: string): boolean {
  const group = groupOf(name);
  return EVERYWHERE.test(group) && ELSEWHERE[group]?.test(keyOf(name)) !== true;
}
