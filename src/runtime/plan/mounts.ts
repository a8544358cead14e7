/** Mounts of the specification as operations: what is mounted where, and with which attributes. */
import { BockerError } from "../../base/errors.ts";
import { O_CLOEXEC, RESOLVE_NO_SYMLINKS } from "../../os/constants.ts";
import type { RuntimeMount } from "../../spec/runtime.ts";
import { KIND_DIRECTORY, KIND_FILE, type Operation } from "./operation.ts";
import { SLOT_MOUNT, SLOT_ROOT } from "./slots.ts";

const EBADF = 9;
const ENODEV = 19;
/** include/uapi/linux/mount.h */
const OPEN_TREE_CLONE = 1;
const AT_RECURSIVE = 0x8000;
export const MOUNT_ATTR_RDONLY = 0x1;
const MOUNT_ATTR_NOSUID = 0x2;
const MOUNT_ATTR_NODEV = 0x4;
const MOUNT_ATTR_NOEXEC = 0x8;
const MOUNT_ATTR_STRICTATIME = 0x20;
const MOUNT_ATTR_NOATIME = 0x10;
export const MS_PRIVATE = 1 << 18;
const MS_SLAVE = 1 << 19;
const MS_SHARED = 1 << 20;

const ATTRIBUTES = new Map(
  Object.entries({
    ro: MOUNT_ATTR_RDONLY,
    nosuid: MOUNT_ATTR_NOSUID,
    nodev: MOUNT_ATTR_NODEV,
    noexec: MOUNT_ATTR_NOEXEC,
    strictatime: MOUNT_ATTR_STRICTATIME,
    noatime: MOUNT_ATTR_NOATIME,
  }),
);
const CLEARING = new Map(
  Object.entries({
    rw: MOUNT_ATTR_RDONLY,
    suid: MOUNT_ATTR_NOSUID,
    dev: MOUNT_ATTR_NODEV,
    exec: MOUNT_ATTR_NOEXEC,
  }),
);
const PROPAGATION = new Map(
  Object.entries({
    private: MS_PRIVATE,
    rprivate: MS_PRIVATE,
    slave: MS_SLAVE,
    rslave: MS_SLAVE,
    shared: MS_SHARED,
    rshared: MS_SHARED,
  }),
);
/** Relating to how the mount is made, not to its attributes. */
const BIND_WORDS = new Set(["bind", "rbind"]);

export interface ParsedOptions {
  attributes: number;
  clear: number;
  propagation: number;
  recursive: boolean;
  data: [string, string][];
}

/** Splits mount options into attributes, propagation and what only the filesystem understands. */
function parseMountOptions(options: string[]): ParsedOptions {
  const parsed: ParsedOptions = {
    attributes: 0,
    clear: 0,
    propagation: MS_PRIVATE,
    recursive: false,
    data: [],
  };
  for (const option of options) {
    if (option === "rbind") parsed.recursive = true;
    if (BIND_WORDS.has(option)) continue;
    const attribute = ATTRIBUTES.get(option);
    const cleared = CLEARING.get(option);
    const propagation = PROPAGATION.get(option);
    if (attribute !== undefined) parsed.attributes |= attribute;
    else if (cleared !== undefined) {
      parsed.attributes &= ~cleared;
      parsed.clear |= cleared;
    } else if (propagation !== undefined) parsed.propagation = propagation;
    else {
      const equals = option.indexOf("=");
      parsed.data.push(equals < 0 ? [option, ""] : [option.slice(0, equals), option.slice(equals + 1)]);
    }
  }
  return parsed;
}

/** Everything that may lie over procfs is named (runc's allow-list, CVE-2019-16884). */
const OVER_PROC = new Set([
  "/proc/cpuinfo",
  "/proc/diskstats",
  "/proc/meminfo",
  "/proc/stat",
  "/proc/swaps",
  "/proc/uptime",
  "/proc/loadavg",
  "/proc/slabinfo",
]);

/** Mounts that the engine makes itself stand on ordinary directories, never behind a link (CVE-2023-27561). */
const ENGINE_TYPES = new Set(["proc", "sysfs", "devpts", "mqueue"]);

function attachOperation(mount: RuntimeMount, kind: number, engine: boolean): Operation {
  return {
    op: "move_mount",
    phase: "container",
    group: "mounts",
    what: `attach it at ${mount.destination}`,
    why: engine
      ? "the mount point must be an ordinary directory of the root, so no link is followed"
      : "the mount point is resolved inside the container's root and made if it is missing",
    slot: SLOT_MOUNT,
    root: SLOT_ROOT,
    path: mount.destination,
    kind,
    resolve: engine ? RESOLVE_NO_SYMLINKS : 0,
    overProc: OVER_PROC.has(mount.destination),
  };
}

function bindOperations(mount: RuntimeMount, isFile: boolean): Operation[] {
  const options = parseMountOptions(mount.options);
  return [
    {
      op: "open_tree",
      phase: "container",
      group: "mounts",
      what: `clone the mount tree at ${mount.source}`,
      why: "a bind mount is a second view of the same files",
      slot: SLOT_MOUNT,
      path: mount.source,
      flags: OPEN_TREE_CLONE | O_CLOEXEC | (options.recursive ? AT_RECURSIVE : 0),
    },
    {
      op: "mount_setattr",
      phase: "container",
      group: "mounts",
      what: `make it private${options.attributes & MOUNT_ATTR_RDONLY ? " and read-only, whatever is mounted below it too" : ""}`,
      why: "mounts made in the container stay in the container",
      slot: SLOT_MOUNT,
      set: options.attributes,
      clear: options.clear,
      propagation: options.propagation,
      recursive: true,
    },
    attachOperation(mount, isFile ? KIND_FILE : KIND_DIRECTORY, false),
  ];
}

const REASONS: Record<string, string> = {
  proc: "a procfs of the container's own pid namespace",
  sysfs: "kernel objects, read-only, with the container's own network devices",
  devpts: "terminals of its own: no container sees another's",
  mqueue: "POSIX message queues of the container's ipc namespace",
};

function filesystemOperations(mount: RuntimeMount): Operation[] {
  const options = parseMountOptions(mount.options);
  const engine = ENGINE_TYPES.has(mount.type);
  return [
    {
      op: "fsmount",
      phase: "container",
      group: "mounts",
      what: `make a ${mount.type}${options.data.length > 0 ? ` (${options.data.map(([k, v]) => (v === "" ? k : `${k}=${v}`)).join(",")})` : ""}`,
      why: REASONS[mount.type] ?? "files that live in memory and end with the container",
      slot: SLOT_MOUNT,
      type: mount.type === "cgroup" ? "cgroup2" : mount.type,
      attributes: options.attributes,
      // Without a source /proc/mounts would say "none".
      options: [["source", mount.source], ...options.data],
      ...(mount.type === "mqueue" ? { tolerate: ENODEV } : {}),
    },
    {
      ...attachOperation(mount, KIND_DIRECTORY, engine || mount.destination === "/dev"),
      // Not every kernel has mqueue: then there is nothing to attach.
      ...(mount.type === "mqueue" ? { tolerate: EBADF } : {}),
    },
  ];
}

/**
 * The operations that make one mount. `sourceIsFile` tells what kind of mount point a bind needs.
 * @throws BockerError "invalid" for a destination that is not absolute
 */
export function mountOperations(mount: RuntimeMount, sourceIsFile: boolean): Operation[] {
  if (!mount.destination.startsWith("/"))
    throw new BockerError(
      "invalid",
      `invalid mount path: '${mount.destination}' mount path must be absolute`,
    );
  return mount.type === "bind" ? bindOperations(mount, sourceIsFile) : filesystemOperations(mount);
}
