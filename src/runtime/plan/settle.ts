/** From the mounted root to the one the container sees: pivot_root, its devices, and what is covered or read-only. */
import type { RuntimeDevice, RuntimeSpec } from "../../spec/runtime.ts";
import { CORE_LINK, DEVICE_LINKS } from "../generate/defaults.ts";
import { MOUNT_ATTR_RDONLY } from "./mounts.ts";
import type { Operation } from "./operation.ts";
import { SLOT_ROOT } from "./slots.ts";

const EEXIST = 17;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const S_IFIFO = 0o010000;

function deviceOperations(devices: RuntimeDevice[], kcore: boolean): Operation[] {
  const types = { c: S_IFCHR, b: S_IFBLK, p: S_IFIFO };
  const nodes = devices.map(
    (device): Operation => ({
      op: "mknod",
      phase: "container",
      group: "mounts",
      what: `make ${device.path} (${device.type} ${device.major}:${device.minor})`,
      why: "only the devices that a program expects; the cgroup decides which may be used",
      tolerate: EEXIST,
      path: device.path,
      mode: types[device.type] | device.fileMode,
      major: device.major,
      minor: device.minor,
      uid: device.uid,
      gid: device.gid,
    }),
  );
  const links = [...DEVICE_LINKS, ...(kcore ? [CORE_LINK] : [])].map(
    ([target, path]): Operation => ({
      op: "symlink",
      phase: "container",
      group: "mounts",
      what: `link ${path} to ${target}`,
      why: "names that shells and programs use",
      tolerate: EEXIST,
      target,
      path,
    }),
  );
  return [...nodes, ...links];
}

/** Directories that device paths below /dev need, such as /dev/net. */
function deviceDirectories(devices: RuntimeDevice[]): Operation[] {
  const directories = new Set<string>();
  for (const { path } of devices) {
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (parent !== "/dev" && parent !== "") directories.add(parent);
  }
  return [...directories].map((path) => ({
    op: "mkdir_in_root",
    phase: "container",
    group: "mounts",
    what: `make the directory ${path}`,
    why: "a device is made in it",
    root: SLOT_ROOT,
    path,
  }));
}

/** As Docker does: a working directory that the image lacks is made, by root, 0755. */
function workingDirectory(path: string): Operation[] {
  if (path === "/") return [];
  return [
    {
      op: "mkdir_in_root",
      phase: "container",
      group: "mounts",
      what: `make the working directory ${path}`,
      why: "if it is missing",
      root: SLOT_ROOT,
      path,
    },
  ];
}

function protectOperations(spec: RuntimeSpec): Operation[] {
  const readonly = spec.linux.readonlyPaths.map(
    (path): Operation => ({
      op: "readonly",
      phase: "container",
      group: "mounts",
      what: `make ${path} read-only`,
      why: "it changes the whole machine, not the container",
      path,
    }),
  );
  const masked = spec.linux.maskedPaths.map(
    (path): Operation => ({
      op: "mask",
      phase: "container",
      group: "mounts",
      what: `cover ${path}`,
      why: "it shows or changes what belongs to the host",
      path,
    }),
  );
  return [...readonly, ...masked];
}

function rootOperations(spec: RuntimeSpec): Operation[] {
  const pivot: Operation[] = [
    {
      op: "pivot_root",
      phase: "container",
      group: "mounts",
      what: "pivot_root into it and detach the host's tree",
      why: "unlike chroot, nothing of the old root stays reachable",
      slot: SLOT_ROOT,
    },
    {
      op: "umask",
      phase: "container",
      group: "mounts",
      what: "set the umask to 0",
      why: "device nodes get exactly the modes asked for",
      mask: 0,
    },
  ];
  if (spec.hostname !== "")
    pivot.push({
      op: "sethostname",
      phase: "container",
      group: "namespaces",
      what: `set the hostname to ${spec.hostname}`,
      why: "the uts namespace is the container's own",
      name: spec.hostname,
    });
  if (spec.domainname !== undefined)
    pivot.push({
      op: "setdomainname",
      phase: "container",
      group: "namespaces",
      what: `set the domain name to ${spec.domainname}`,
      why: "the uts namespace is the container's own",
      name: spec.domainname,
    });
  return pivot;
}

/** When all is mounted in it: mount points are made. */
export const READONLY_ROOT: Operation = {
  op: "mount_setattr",
  phase: "container",
  group: "mounts",
  what: "make the root read-only",
  why: "--read-only",
  slot: SLOT_ROOT,
  set: MOUNT_ATTR_RDONLY,
  clear: 0,
  propagation: 0,
  recursive: false,
};

/** What follows once everything is mounted. @param kcore whether the kernel has /proc/kcore: then there is a /dev/core, too */
export function settleOperations(spec: RuntimeSpec, kcore: boolean): Operation[] {
  const devices = spec.linux.devices;
  return [
    ...deviceDirectories(devices),
    ...workingDirectory(spec.process.cwd),
    ...rootOperations(spec),
    ...deviceOperations(devices, kcore),
    ...protectOperations(spec),
    ...(spec.root.readonly ? [READONLY_ROOT] : []),
  ];
}
