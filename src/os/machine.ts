/** Facts about this machine that a container's defaults depend on. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { AT_FDCWD } from "./constants.ts";
import { statat } from "./metadata.ts";

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

export interface HostDevice {
  path: string;
  type: "c" | "b";
  major: number;
  minor: number;
  fileMode: number;
  uid: number;
  gid: number;
}

/** Directories of /dev that a container has its own of, or must not see. */
const OWN_DIRECTORIES = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"]);

/** Every character and block device below /dev, but the consoles (runc's devices.HostDevices). */
export function hostDevices(directory = "/dev"): HostDevice[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) return OWN_DIRECTORIES.has(entry.name) ? [] : hostDevices(path);
    if (entry.name === "console" || !(entry.isCharacterDevice() || entry.isBlockDevice())) return [];
    const stat = statat(AT_FDCWD, path);
    return [
      {
        path,
        type: entry.isBlockDevice() ? "b" : "c",
        major: stat.rdevMajor,
        minor: stat.rdevMinor,
        fileMode: stat.mode & 0o7777,
        uid: stat.uid,
        gid: stat.gid,
      },
    ];
  });
}
