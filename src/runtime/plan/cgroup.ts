/** The cgroup room's answer as operations. */
import { O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../os/constants.ts";
import type { RuntimeMount } from "../../spec/runtime.ts";
import type { LaunchContext } from "./compile.ts";
import { MOUNT_ATTR_RDONLY, mountOperations } from "./mounts.ts";
import type { Operation } from "./operation.ts";
import { SLOT_CGROUP } from "./slots.ts";

/** What this needs to know of a cgroup plan (cgroup/contribution.ts). */
export interface CgroupRequest {
  directories: string[];
  limits: { path: string; value: string; why: string }[];
  enter: string[];
  cloneInto: string | undefined;
  binds: [string, string][];
  deviceProgram: Uint8Array | undefined;
}

const SAFE = ["nosuid", "noexec", "nodev"];

function makeOperations(request: CgroupRequest): Operation[] {
  const directories = request.directories.map(
    (path): Operation => ({
      op: "mkdir",
      phase: "host",
      group: "cgroup",
      what: `make ${path}`,
      why: "the kernel accounts for and limits what runs in it",
      path,
      mode: 0o755,
    }),
  );
  // A parent's subtree_control must be set before the child's files exist.
  const parents = request.limits.filter(({ path }) => path.endsWith("/cgroup.subtree_control"));
  const own = request.limits.filter(({ path }) => !path.endsWith("/cgroup.subtree_control"));
  const write = ({ path, value, why }: CgroupRequest["limits"][number]): Operation => ({
    op: "write",
    phase: "host",
    group: "cgroup",
    what: `write "${value}" to ${path}`,
    why,
    path,
    data: value,
  });
  return [...parents.map(write), ...directories, ...own.map(write)];
}

function openOperations(request: CgroupRequest): Operation[] {
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

function enterOperations(request: CgroupRequest): Operation[] {
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
  if (request.cloneInto !== undefined) {
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

/** Makes, enters, shows and removes a container's cgroups. */
export function cgroupOperations(request: CgroupRequest, readOnly: boolean): LaunchContext["cgroup"] {
  return {
    host: [...makeOperations(request), ...openOperations(request)],
    hostAfter: [],
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
  request: CgroupRequest,
): Pick<LaunchContext["cgroup"], "host" | "container" | "cloneSlot"> {
  const { deviceProgram: _, ...running } = request;
  return {
    host: openOperations({ ...running, deviceProgram: undefined }),
    container: enterOperations(request),
    cloneSlot: request.cloneInto === undefined ? undefined : SLOT_CGROUP,
  };
}
