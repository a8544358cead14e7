/** This machine, as far as a container's defaults depend on it. */
import { AT_FDCWD } from "./constants.ts";
import type { Facts } from "./facts.ts";
import { listNames, readText } from "./host-files.ts";
import { deviceType, isDevice, isDirectory, statat } from "./metadata.ts";

/** What the defaults of a container depend on. */
export interface Machine {
  /** Looked at when asked for: few need it. */
  processors: () => number;
  /** Capabilities that this process has in its bounding set. */
  capabilities: bigint;
  /** This process's own hard limit on open files. */
  openFiles: number;
  /** /sys/devices/system/cpu/cpu* with a thermal_throttle directory. */
  thermalPaths: string[];
  exists: (path: string) => boolean;
}

/** A list of processors, "0-3,8", as their numbers (Documentation/admin-guide/cputopology.rst). */
function processorList(text: string | undefined): number[] {
  const numbers: number[] = [];
  for (const range of (text ?? "0").trim().split(",")) {
    const [first = "0", last = first] = range.split("-");
    for (let number = Number(first); number <= Number(last); number++) numbers.push(number);
  }
  return numbers;
}

const PROCESSORS = "/sys/devices/system/cpu";

/** Processors with a thermal_throttle directory, which tells one container of another's load. */
function thermalPaths(facts: Facts): string[] {
  return processorList(facts.text(`${PROCESSORS}/present`))
    .map((number) => `${PROCESSORS}/cpu${number}/thermal_throttle`)
    .filter(facts.exists);
}

export function machineBy(facts: Facts): Machine {
  return {
    processors: () => processorList(facts.text(`${PROCESSORS}/online`)).length,
    capabilities: facts.bounding(),
    openFiles: facts.openFiles(),
    thermalPaths: thermalPaths(facts),
    exists: facts.exists,
  };
}

/** As `uname -r` prints it. */
export function kernelRelease(): string {
  return readText("/proc/sys/kernel/osrelease").trim();
}

/** As `uname -n` prints it. */
export function hostName(): string {
  return readText("/proc/sys/kernel/hostname").trim();
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
  return listNames(directory).flatMap((name) => {
    const path = `${directory}/${name}`;
    const stat = statat(AT_FDCWD, path);
    if (isDirectory(stat)) return OWN_DIRECTORIES.has(name) ? [] : hostDevices(path);
    if (name === "console" || !isDevice(stat)) return [];
    return [
      {
        path,
        type: deviceType(stat),
        major: stat.rdevMajor,
        minor: stat.rdevMinor,
        fileMode: stat.mode & 0o7777,
        uid: stat.uid,
        gid: stat.gid,
      },
    ];
  });
}
