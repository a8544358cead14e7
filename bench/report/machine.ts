/** What the figures were measured on. */
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { type Engine, isInstalled, versionOf } from "../engines.ts";
import { run } from "../program.ts";

export interface Machine {
  date: string;
  kernel: string;
  cpus: string;
  memory: string;
  /** Of the bench's directory. */
  filesystem: string;
  cgroups: string;
  versions: string[];
}

export function describeMachine(engines: readonly Engine[], directory: string): Machine {
  const processors = cpus();
  const others = ["crun", "runc", "skopeo", "umoci", "tar"].filter(isInstalled);
  return {
    date: new Date().toISOString().slice(0, 10),
    kernel: release(),
    cpus: `${processors.length} x ${processors[0]?.model.trim() ?? "?"}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    filesystem: run(["stat", "-f", "-c", "%T", directory]).trim(),
    cgroups: readFileSync("/proc/self/mountinfo", "utf8").includes(" - cgroup ") ? "v1" : "v2",
    versions: [...engines.map(({ version }) => version), ...others.map(versionOf)],
  };
}

export function machineText(machine: Machine): string {
  return [
    `${machine.date}, Linux ${machine.kernel}, ${machine.cpus}, ${machine.memory}, ${machine.filesystem}, cgroup ${machine.cgroups}`,
    machine.versions.join("; "),
  ].join("\n");
}
