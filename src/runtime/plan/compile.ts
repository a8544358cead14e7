/**
 * The specification of a container, with what the other rooms contribute (layers, cgroup, network),
 * as the one flat list of operations that is printed and executed.
 */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUTS,
  MS_REC,
} from "../../os/constants.ts";
import type { NamespaceType, RuntimeDevice, RuntimeSpec } from "../../spec/runtime.ts";
import { CORE_LINK, DEVICE_LINKS } from "../generate/defaults.ts";
import { MOUNT_ATTR_RDONLY, mountOperations } from "./mounts.ts";
import { NONE, type Operation } from "./operation.ts";
import { processOperations } from "./process.ts";
import { SLOT_INHERITED, SLOT_MNTNS, SLOT_NETNS, SLOT_ROOT } from "./slots.ts";

const MS_SLAVE = 1 << 19;
const EEXIST = 17;
const ENOENT = 2;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const S_IFIFO = 0o010000;

export const CLONE_FLAGS: Record<NamespaceType, number> = {
  mount: CLONE_NEWNS,
  network: CLONE_NEWNET,
  uts: CLONE_NEWUTS,
  pid: CLONE_NEWPID,
  ipc: CLONE_NEWIPC,
  cgroup: CLONE_NEWCGROUP,
};

/** What a room adds to a start, each in its phase and in order. */
export interface Contribution {
  host: Operation[];
  hostAfter: Operation[];
  container: Operation[];
  cleanup: Operation[];
}

export interface LaunchContext {
  spec: RuntimeSpec;
  /** Leaves the container's root attached and in SLOT_ROOT. */
  storage: Contribution;
  /** `container` moves the process into its cgroups; it runs before anything else. */
  cgroup: Contribution & { cloneSlot: number | undefined; mounts: Operation[] };
  network: Contribution;
  seccomp: Uint8Array | undefined;
  init: boolean;
  /** Sources of bind mounts that are files. */
  fileSources: ReadonlySet<string>;
  terminal: { rows: number; columns: number } | undefined;
  /** The kernel has /proc/kcore: then there is a /dev/core, too. */
  kcore: boolean;
}

function cloneOperations(context: LaunchContext): Operation[] {
  const fresh = context.spec.linux.namespaces.filter((namespace) => namespace.path === undefined);
  const flags = fresh.reduce((sum, { type }) => sum + CLONE_FLAGS[type], 0);
  return [
    {
      op: "clone",
      phase: "host",
      group: "namespaces",
      what: `clone3 with new namespaces: ${fresh.map(({ type }) => type).join(", ")}`,
      why: "one call: the process is born with its own view of each, instead of entering them one by one",
      flags,
      cgroup: context.cgroup.cloneSlot ?? NONE,
    },
  ];
}

function joinOperations(spec: RuntimeSpec): Operation[] {
  return spec.linux.namespaces
    .filter((namespace) => namespace.path !== undefined)
    .map(({ type, path }) => ({
      op: "setns",
      phase: "container",
      group: "namespaces",
      what: `join the ${type} namespace ${path}`,
      why: `the ${type} namespace is shared with another container`,
      slot: SLOT_INHERITED,
      type: CLONE_FLAGS[type],
    }));
}

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

/** Written through the host's own procfs before any mount of the container exists (CVE-2025-52881). */
function sysctlOperations(spec: RuntimeSpec): Operation[] {
  return Object.entries(spec.linux.sysctl).map(([key, value]) => ({
    op: "write",
    phase: "container",
    group: "namespaces",
    what: `set ${key} to ${value}`,
    why: "a setting of the container's own namespace",
    path: `/proc/sys/${key.replaceAll(".", "/")}`,
    data: value,
  }));
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

function readonlyRoot(spec: RuntimeSpec): Operation[] {
  if (!spec.root.readonly) return [];
  return [
    {
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
    },
  ];
}

function stdioOperation(context: LaunchContext): Operation {
  const { process } = context.spec;
  const tty = context.terminal;
  return {
    op: "stdio",
    phase: "container",
    group: "exec",
    what:
      tty === undefined ? "connect the pipes to 0, 1 and 2" : "make a terminal and connect it to 0, 1 and 2",
    why:
      tty === undefined
        ? "real pipes, owned by the container's user, so that /dev/stdout can be opened"
        : "from the container's own devpts",
    tty: tty !== undefined,
    console: tty !== undefined,
    rows: tty?.rows ?? 0,
    columns: tty?.columns ?? 0,
    uid: process.user.uid,
  };
}

const HOLD_NAMESPACES: Operation = {
  op: "open_ns",
  phase: "host-after",
  group: "namespaces",
  what: "hold the container's mount namespace",
  why: "its teardown then happens after the exit was reported, not before",
  slot: SLOT_MNTNS,
  name: "mnt",
  // A program that is quick has ended by now; a zombie has no namespaces, and there is nothing to hold.
  tolerate: ENOENT,
};

/** The plan of a container's start. */
export function compileContainer(context: LaunchContext): Operation[] {
  const { spec, storage, cgroup, network } = context;
  const devices = spec.linux.devices;
  const networkIsMade = network.hostAfter.length > 0;
  return [
    ...cgroup.host,
    ...storage.host,
    ...network.host,
    ...cloneOperations(context),
    HOLD_NAMESPACES,
    ...(networkIsMade ? [holdNetwork()] : []),
    ...network.hostAfter,
    ...(networkIsMade ? [signalContainer()] : []),
    ...cgroup.container,
    ...joinOperations(spec),
    {
      op: "propagation",
      phase: "container",
      group: "mounts",
      what: "make every mount a slave of the host's",
      why: "from here on nothing that is mounted appears on the host",
      path: "/",
      flags: MS_REC | MS_SLAVE,
    },
    ...sysctlOperations(spec),
    ...storage.container,
    ...spec.mounts.flatMap((mount) =>
      mount.destination === "/sys/fs/cgroup" && mount.type === "cgroup"
        ? cgroup.mounts
        : mountOperations(mount, context.fileSources.has(mount.source)),
    ),
    ...deviceDirectories(devices),
    ...workingDirectory(spec.process.cwd),
    ...rootOperations(spec),
    ...deviceOperations(devices, context.kcore),
    stdioOperation(context),
    ...protectOperations(spec),
    ...readonlyRoot(spec),
    ...(networkIsMade ? [awaitNetwork()] : []),
    ...network.container,
    keyring(spec.hostname),
    oomScore(spec.process.oomScoreAdj),
    ...processOperations(spec.process, context.seccomp, context.init),
    ...network.cleanup,
    ...cgroup.cleanup,
    ...storage.cleanup,
  ];
}

function holdNetwork(): Operation {
  return {
    op: "open_ns",
    phase: "host-after",
    group: "network",
    what: "open the container's network namespace",
    why: "the veth's other end is born in it",
    slot: SLOT_NETNS,
    name: "net",
  };
}

function signalContainer(): Operation {
  return {
    op: "signal",
    phase: "host-after",
    group: "network",
    what: "tell the container that its network is there",
    why: "it mounts its filesystems meanwhile",
  };
}

function awaitNetwork(): Operation {
  return {
    op: "wait",
    phase: "container",
    group: "network",
    what: "wait for the network",
    why: "the host's side was set up at the same time",
  };
}

function keyring(name: string): Operation {
  return {
    op: "keyring",
    phase: "container",
    group: "identity",
    what: "join a new session keyring",
    why: "keys are not namespaced: without this the container would hold the caller's",
    name: `_ses.${name}`,
    tolerate: 38,
  };
}

function oomScore(value: number): Operation {
  return {
    op: "write",
    phase: "container",
    group: "identity",
    what: `set oom_score_adj to ${value}`,
    why: "the container's, not that of whoever called bocker",
    path: "/proc/self/oom_score_adj",
    data: String(value),
    tolerate: ENOENT,
  };
}

/** The plan of an exec session in a running container, whose pidfd is in SLOT_INHERITED. */
export function compileExec(context: {
  process: RuntimeSpec["process"];
  cgroup: Pick<LaunchContext["cgroup"], "host" | "container" | "cloneSlot">;
  seccomp: Uint8Array | undefined;
  terminal: LaunchContext["terminal"];
}): Operation[] {
  const tty = context.terminal;
  const joined = CLONE_NEWNS + CLONE_NEWUTS + CLONE_NEWIPC + CLONE_NEWNET + CLONE_NEWCGROUP;
  return [
    ...context.cgroup.host,
    {
      op: "setns",
      phase: "host",
      group: "namespaces",
      what: "choose the container's pid namespace for the next child",
      why: "a process cannot change its own pid namespace, only that of its children",
      slot: SLOT_INHERITED,
      type: CLONE_NEWPID,
    },
    {
      op: "clone",
      phase: "host",
      group: "namespaces",
      what: "clone3 a process into it",
      why: "the process is born in the container's pid namespace",
      flags: 0,
      cgroup: context.cgroup.cloneSlot ?? NONE,
    },
    ...context.cgroup.container,
    // By the host's procfs: the container may have mounted something over its own.
    oomScore(context.process.oomScoreAdj),
    {
      op: "setns",
      phase: "container",
      group: "namespaces",
      what: "join the container's mount, uts, ipc, network and cgroup namespaces",
      why: "one call by the pidfd: no name of /proc/PID can change meanwhile",
      slot: SLOT_INHERITED,
      type: joined,
    },
    {
      op: "stdio",
      phase: "container",
      group: "exec",
      what:
        tty === undefined
          ? "connect the pipes to 0, 1 and 2"
          : "make a terminal and connect it to 0, 1 and 2",
      why: "the streams of this exec, apart from the container's own",
      tty: tty !== undefined,
      console: false,
      rows: tty?.rows ?? 0,
      columns: tty?.columns ?? 0,
      uid: context.process.user.uid,
    },
    keyring("exec"),
    ...processOperations(context.process, context.seccomp, false),
  ];
}
