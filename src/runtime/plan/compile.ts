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
import type { NamespaceType, RuntimeSpec } from "../../spec/runtime.ts";
import { execOperation } from "./exec.ts";
import { mountOperations } from "./mounts.ts";
import { NONE, type Operation } from "./operation.ts";
import { processOperations } from "./process.ts";
import { settleOperations } from "./settle.ts";
import { SLOT_INHERITED, SLOT_MNTNS } from "./slots.ts";

const MS_SLAVE = 1 << 19;
const ENOENT = 2;

const CLONE_FLAGS: Record<NamespaceType, number> = {
  mount: CLONE_NEWNS,
  network: CLONE_NEWNET,
  uts: CLONE_NEWUTS,
  pid: CLONE_NEWPID,
  ipc: CLONE_NEWIPC,
  cgroup: CLONE_NEWCGROUP,
};

/** A container's cgroups as operations (plan/cgroup.ts). */
export interface CgroupOperations {
  host: Operation[];
  /** Move the process into its cgroups, before anything else. */
  container: Operation[];
  cleanup: Operation[];
  cloneSlot: number | undefined;
  /** What is shown of them at /sys/fs/cgroup. */
  mounts: Operation[];
}

/** What a container's root is made of. */
export interface RootContext {
  spec: RuntimeSpec;
  cgroup: CgroupOperations;
  /** Sources of bind mounts that are files. */
  fileSources: ReadonlySet<string>;
  /** Sources that are made while the beginning is carried out: what mounts them, and all after it, is the rest's. */
  laterSources: ReadonlySet<string>;
  /** The kernel has /proc/kcore: then there is a /dev/core, too. */
  kcore: boolean;
}

export interface BeginningContext extends RootContext {
  /** Leaves the container's root attached and in SLOT_ROOT. */
  storage: Operation[];
}

export interface RestContext extends RootContext {
  seccomp: Uint8Array | undefined;
  init: boolean;
  terminal: { rows: number; columns: number } | undefined;
}

function cloneOperations(spec: RuntimeSpec, cgroupSlot: number | undefined): Operation[] {
  const fresh = spec.linux.namespaces.filter((namespace) => namespace.path === undefined);
  const flags = fresh.reduce((sum, { type }) => sum + CLONE_FLAGS[type], 0);
  return [
    {
      op: "clone",
      phase: "host",
      group: "namespaces",
      what: `clone3 with new namespaces: ${fresh.map(({ type }) => type).join(", ")}`,
      why: "one call: the process is born with its own view of each, instead of entering them one by one",
      flags,
      cgroup: cgroupSlot ?? NONE,
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

function stdioOperation(context: RestContext): Operation {
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

/** Of the process that makes a container's mounts; nothing of them is the host's. */
export const SLAVE_OF_HOST: Operation = {
  op: "propagation",
  phase: "container",
  group: "mounts",
  what: "make every mount a slave of the host's",
  why: "from here on nothing that is mounted appears on the host",
  path: "/",
  flags: MS_REC | MS_SLAVE,
};

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

/**
 * The beginning of a container's start: its cgroups, its process, and its root with all that is mounted in it. It is
 * carried out while the rest is still being decided, since nothing in it depends on the files of the image or on
 * the network's addresses.
 */
export function compileBeginning(context: BeginningContext): Operation[] {
  const { spec, cgroup } = context;
  const first = firstLaterMount(context);
  return [
    ...cgroup.host,
    ...cgroup.cleanup,
    ...cloneOperations(spec, cgroup.cloneSlot),
    HOLD_NAMESPACES,
    ...cgroup.container,
    ...joinOperations(spec),
    SLAVE_OF_HOST,
    ...sysctlOperations(spec),
    ...context.storage,
    ...mountsOf(context, 0, first),
    ...(first === spec.mounts.length ? settleOperations(context.spec, context.kcore) : []),
  ];
}

/** Where in the list of mounts the first is whose source is made only meanwhile; behind the last if there is none. */
function firstLaterMount({ spec, laterSources }: RootContext): number {
  const first = spec.mounts.findIndex(({ source }) => laterSources.has(source));
  return first < 0 ? spec.mounts.length : first;
}

function mountsOf({ spec, cgroup, fileSources }: RootContext, from: number, to: number): Operation[] {
  return spec.mounts
    .slice(from, to)
    .flatMap((mount) =>
      mount.destination === "/sys/fs/cgroup" && mount.type === "cgroup"
        ? cgroup.mounts
        : mountOperations(mount, fileSources.has(mount.source)),
    );
}

/** The rest of it, but for the network and the program itself (`orderRest`). */
export interface RestOperations {
  /** Until the network is needed. */
  settled: Operation[];
  /** From then on, until the program can be executed. */
  last: Operation[];
}

/** The rest of it: what the process does to become the container. */
export function compileRest(context: RestContext): RestOperations {
  const { spec } = context;
  const first = firstLaterMount(context);
  return {
    settled: [
      ...mountsOf(context, first, spec.mounts.length),
      ...(first < spec.mounts.length ? settleOperations(spec, context.kcore) : []),
      stdioOperation(context),
    ],
    last: [
      keyring(spec.hostname),
      oomScore(spec.process.oomScoreAdj),
      ...processOperations(spec.process, context.seccomp, context.init),
    ],
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
  cgroup: Pick<CgroupOperations, "host" | "container" | "cloneSlot">;
  seccomp: Uint8Array | undefined;
  terminal: RestContext["terminal"];
}): Operation[] {
  const tty = context.terminal;
  const joined = CLONE_NEWNS + CLONE_NEWUTS + CLONE_NEWIPC + CLONE_NEWPID + CLONE_NEWNET + CLONE_NEWCGROUP;
  return [
    ...context.cgroup.host,
    {
      op: "clone",
      phase: "host",
      group: "namespaces",
      what: "clone3 a process",
      why: "outside of the container's pid namespace: the container does not see it",
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
      what: "join the container's mount, uts, ipc, network and cgroup namespaces, and choose its pid namespace",
      why: "one call by the pidfd: no name of /proc/PID can change meanwhile",
      slot: SLOT_INHERITED,
      type: joined,
    },
    {
      op: "succeed",
      phase: "container",
      group: "namespaces",
      what: "leave the rest to a child, which is born in the container's pid namespace",
      why: "what the container sees has nothing of the host open, and is nowhere in its files (CVE-2016-9962)",
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
    execOperation(context.process.args, context.process.env),
  ];
}
