/** The cgroup room's answer as operations. */
import { O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../os/constants.ts";
import type { RuntimeMount } from "../../spec/runtime.ts";
import type { CgroupOperations } from "./compile.ts";
import { APART, type MonitorRequest } from "./monitor-place.ts";
import { MOUNT_ATTR_RDONLY, mountOperations } from "./mounts.ts";
import type { Operation } from "./operation.ts";
import { SLOT_CGROUP } from "./slots.ts";
import type { Step } from "./step.ts";

/** What this needs to know of a cgroup plan (cgroup/contribution.ts). */
export interface CgroupRequest {
  version: 1 | 2;
  evacuation: { from: string; to: string } | undefined;
  parents: string[];
  handDown: { path: string; value: string; why: string }[];
  directories: string[];
  limits: { path: string; value: string; why: string }[];
  enter: string[];
  cloneInto: string | undefined;
  binds: [string, string][];
  deviceProgram: Uint8Array | undefined;
}

const SAFE = ["nosuid", "noexec", "nodev"];
const EEXIST = 17;

function writeOperation({ path, value, why }: CgroupRequest["limits"][number]): Operation {
  return {
    op: "write",
    phase: "host",
    group: "cgroup",
    what: `write "${value}" to ${path}`,
    why,
    path,
    data: value,
  };
}

/** One that is there, mostly; and if it is not, because somebody has just removed it, it is made again. */
function parentOperation(path: string, why: string): Operation {
  return {
    op: "mkdir",
    phase: "host",
    group: "cgroup",
    what: `make ${path} where it is missing`,
    why,
    tolerate: EEXIST,
    path,
    mode: 0o755,
  };
}

function makeOperations(request: CgroupRequest): Operation[] {
  return [
    ...request.parents.map((path) =>
      parentOperation(path, "the parent of containers' cgroups; it stays when they go"),
    ),
    // Before the container's own is made: a parent's settings decide which files that has, and with what.
    ...request.handDown.map(writeOperation),
    ...request.directories.map(
      (path): Operation => ({
        op: "mkdir",
        phase: "host",
        group: "cgroup",
        what: `make ${path}`,
        why: "the kernel accounts for and limits what runs in it",
        path,
        mode: 0o755,
      }),
    ),
    ...request.limits.map(writeOperation),
  ];
}

/** The launcher, which becomes the monitor, leaves the caller's cgroups of v1; it is alone, so that costs nothing. */
function monitorOperations(monitor: MonitorRequest, made: string[]): Operation[] {
  return [
    ...monitor.directories
      .filter((path) => !made.includes(path))
      .map((path) => parentOperation(path, "where all monitors are")),
    ...monitor.enter.map(
      (path): Operation => ({
        op: "write",
        phase: "host",
        group: "cgroup",
        what: `write "0" to ${path}`,
        why: APART,
        path,
        data: "0",
      }),
    ),
  ];
}

/** What the engine does so that a v2 hierarchy whose top it shares with others can hand down controllers. */
export function evacuationSteps(
  request: Pick<CgroupRequest, "evacuation">,
): Extract<Step, { step: "cgroup" | "evacuate" }>[] {
  if (request.evacuation === undefined) return [];
  const { from, to } = request.evacuation;
  return [
    {
      step: "cgroup",
      group: "cgroup",
      what: `make ${to} where it is missing`,
      why: "for the processes that are at the top now",
      path: to,
    },
    {
      step: "evacuate",
      group: "cgroup",
      what: `move the processes of ${from} to ${to}`,
      why: "bocker is in a container: a cgroup with processes of its own can hand no controllers down",
      from,
      to,
    },
  ];
}

function openOperations(request: Pick<CgroupRequest, "cloneInto" | "deviceProgram">): Operation[] {
  if (request.cloneInto === undefined) return [];
  const open: Operation[] = [
    {
      op: "open",
      phase: "host",
      group: "cgroup",
      what: `open ${request.cloneInto}`,
      why: "clone3 puts the process into it at birth; moving it later would wait for the kernel",
      slot: SLOT_CGROUP,
      path: request.cloneInto,
      flags: O_PATH | O_DIRECTORY | O_CLOEXEC,
    },
  ];
  if (request.deviceProgram !== undefined)
    open.unshift(
      {
        op: "open",
        phase: "host",
        group: "cgroup",
        what: `open ${request.cloneInto} for the device program`,
        why: "programs are attached to a directory that is open for reading",
        slot: SLOT_CGROUP,
        path: request.cloneInto,
        flags: O_DIRECTORY | O_CLOEXEC,
      },
      {
        op: "bpf_device",
        phase: "host",
        group: "cgroup",
        what: `attach the device program (${request.deviceProgram.length / 8} instructions)`,
        why: "devices are denied unless allowed",
        slot: SLOT_CGROUP,
        program: request.deviceProgram,
      },
    );
  return open;
}

function enterOperations(request: Pick<CgroupRequest, "enter">): Operation[] {
  return request.enter.map((path) => ({
    op: "write",
    phase: "container",
    group: "cgroup",
    what: `write "0" to ${path}`,
    why: "the process moves itself: somebody else's pid would make the kernel wait 10 ms",
    path,
    data: "0",
  }));
}

function inSlot(operation: Operation): boolean {
  return operation.op === "fsmount" || operation.op === "move_mount";
}

/** A privileged container may make cgroups of its own below the one it is in. */
function cgroupMounts(request: CgroupRequest, readOnly: boolean): Operation[] {
  const options = readOnly ? ["ro", ...SAFE] : SAFE;
  if (request.version === 2) {
    const mount: RuntimeMount = {
      destination: "/sys/fs/cgroup",
      type: "cgroup2",
      source: "cgroup",
      options,
    };
    return mountOperations(mount, false);
  }
  if (request.binds.length === 0) return [];
  const base: RuntimeMount = {
    destination: "/sys/fs/cgroup",
    type: "tmpfs",
    source: "tmpfs",
    options: [...SAFE, "mode=755"],
  };
  const binds = request.binds.flatMap(([source, destination]) =>
    mountOperations({ destination, type: "bind", source, options: ["bind", ...options] }, false),
  );
  const [make, attach] = mountOperations(base, false).map(
    (operation): Operation =>
      ({ ...operation, ...(inSlot(operation) ? { slot: SLOT_CGROUP } : {}) }) as Operation,
  );
  const made = [make!, attach!, ...binds];
  if (!readOnly) return made;
  return [
    ...made,
    {
      op: "mount_setattr",
      phase: "container",
      group: "mounts",
      what: "make the tmpfs at /sys/fs/cgroup read-only",
      why: "only now: the mount points of the hierarchies had to be made in it",
      slot: SLOT_CGROUP,
      set: MOUNT_ATTR_RDONLY,
      clear: 0,
      propagation: 0,
      recursive: false,
    },
  ];
}

/** Makes, enters, shows and removes a container's cgroups; and puts its monitor elsewhere. */
export function cgroupOperations(
  request: CgroupRequest,
  monitor: MonitorRequest,
  readOnly: boolean,
): CgroupOperations {
  return {
    host: [
      ...makeOperations(request),
      ...monitorOperations(monitor, request.parents),
      ...openOperations(request),
    ],
    container: enterOperations(request),
    cleanup: [...request.directories].reverse().map((path) => ({
      op: "rmdir",
      phase: "cleanup",
      group: "cgroup",
      what: `remove ${path}`,
      why: "a container leaves nothing behind",
      path,
    })),
    cloneSlot: request.cloneInto === undefined ? undefined : SLOT_CGROUP,
    mounts: cgroupMounts(request, readOnly),
  };
}

/** Joins the cgroups of a container that runs. */
export function joinCgroupOperations(
  request: Pick<CgroupRequest, "enter" | "cloneInto">,
  monitor: MonitorRequest,
): Pick<CgroupOperations, "host" | "container" | "cloneSlot"> {
  return {
    host: [
      ...monitorOperations(monitor, []),
      ...openOperations({ cloneInto: request.cloneInto, deviceProgram: undefined }),
    ],
    container: enterOperations(request),
    cloneSlot: request.cloneInto === undefined ? undefined : SLOT_CGROUP,
  };
}
