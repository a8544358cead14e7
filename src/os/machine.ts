/** Facts about this machine that a container's defaults depend on. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

export interface MachineFacts {
  processors: number;
  capabilities: bigint;
  openFiles: number;
  thermalPaths: string[];
  exists: (path: string) => boolean;
}

function statusField(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "";
}

/** Processors with a thermal_throttle directory, which tells one container of another's load. */
function thermalPaths(): string[] {
  const root = "/sys/devices/system/cpu";
  try {
    return readdirSync(root)
      .filter((name) => /^cpu\d+$/.test(name))
      .map((name) => `${root}/${name}/thermal_throttle`)
      .filter((path) => existsSync(path));
  } catch {
    return [];
  }
}

export function machineFacts(): MachineFacts {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? "1024";
  return {
    processors: cpus().length,
    capabilities: BigInt(`0x${statusField(readFileSync("/proc/self/status", "utf8"), "CapBnd")}`),
    openFiles: hard === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(hard),
    thermalPaths: thermalPaths(),
    exists: existsSync,
  };
}
