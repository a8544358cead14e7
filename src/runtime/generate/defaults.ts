/** Docker's defaults: moby daemon/pkg/oci/defaults.go and daemon/oci_linux.go (reference/security.md section 2). */
import type { DeviceRule, RuntimeDevice, RuntimeMount } from "../../spec/runtime.ts";

export const MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

export const READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** The engine's own mounts, in order; the cgroup mount follows /sys. */
export function defaultMounts(shmSize: number): RuntimeMount[] {
  return [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: ["ro", "nosuid", "noexec", "nodev"],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: ["nosuid", "noexec", "nodev", "mode=1777", `size=${shmSize}`],
    },
  ];
}

function device(path: string, major: number, minor: number): RuntimeDevice {
  return { path, type: "c", major, minor, fileMode: 0o666, uid: 0, gid: 0 };
}

export const DEFAULT_DEVICES: readonly RuntimeDevice[] = [
  device("/dev/null", 1, 3),
  device("/dev/zero", 1, 5),
  device("/dev/full", 1, 7),
  device("/dev/random", 1, 8),
  device("/dev/urandom", 1, 9),
  device("/dev/tty", 5, 0),
];

/** Only where the kernel has /proc/kcore, as runc does. */
export const CORE_LINK: readonly [string, string] = ["/proc/kcore", "/dev/core"];

/** [target, path] */
export const DEVICE_LINKS: readonly (readonly [string, string])[] = [
  ["/proc/self/fd", "/dev/fd"],
  ["/proc/self/fd/0", "/dev/stdin"],
  ["/proc/self/fd/1", "/dev/stdout"],
  ["/proc/self/fd/2", "/dev/stderr"],
  ["pts/ptmx", "/dev/ptmx"],
];

function rule(
  allow: boolean,
  type: "a" | "c" | "b",
  major: number,
  minor: number,
  access: string,
): DeviceRule {
  return { allow, type, major, minor, access };
}

/**
 * Deny all, then these. /dev/net/tun (10:200) is left out: only a container that is given the device
 * may use it (the note in reference/security.md 2.5).
 */
export const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  rule(false, "a", -1, -1, "rwm"),
  rule(true, "c", -1, -1, "m"),
  rule(true, "b", -1, -1, "m"),
  rule(true, "c", 1, 3, "rwm"),
  rule(true, "c", 1, 5, "rwm"),
  rule(true, "c", 1, 7, "rwm"),
  rule(true, "c", 1, 8, "rwm"),
  rule(true, "c", 1, 9, "rwm"),
  rule(true, "c", 5, 0, "rwm"),
  rule(true, "c", 5, 1, "rwm"),
  rule(true, "c", 5, 2, "rwm"),
  rule(true, "c", 136, -1, "rwm"),
];
