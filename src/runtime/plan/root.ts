/** The container's root as operations: how the storage driver's mount becomes SLOT_ROOT. */
import { O_CLOEXEC } from "../../os/constants.ts";
import { MS_PRIVATE } from "./mounts.ts";
import { type Group, KIND_EXISTING, type Operation } from "./operation.ts";
import { SLOT_HOST, SLOT_ROOT } from "./slots.ts";

interface NewMount {
  type: string;
  options: [string, string][];
}

/** What this needs to know of a storage driver's answer (storage/driver.ts, RootMount). */
export type RootMountRequest =
  | (NewMount & { kind: "fsmount"; below: NewMount[] })
  | { kind: "mount"; type: string; directory: string; data: string; below: NewMount[] }
  | { kind: "bind"; source: string; why: string };

const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const storage: { phase: "container"; group: Group } = { phase: "container", group: "storage" };

function attached(mountPoint: string): Operation[] {
  return [
    {
      ...storage,
      op: "open_root",
      what: "open the host's root",
      why: "the new root is attached below it",
      slot: SLOT_HOST,
      path: "/",
    },
    {
      ...storage,
      op: "move_mount",
      what: `attach it at ${mountPoint}`,
      why: "in this mount namespace only: the host's mount table stays as it is",
      slot: SLOT_ROOT,
      root: SLOT_HOST,
      path: mountPoint,
      kind: KIND_EXISTING,
      resolve: 0,
      overProc: false,
    },
    {
      ...storage,
      op: "close",
      what: "close the host's root",
      why: "nothing of it is needed any more",
      slot: SLOT_HOST,
    },
  ];
}

const PRIVATE: Operation = {
  ...storage,
  op: "mount_setattr",
  what: "make it private",
  why: "mounts below it are nobody else's business",
  slot: SLOT_ROOT,
  set: 0,
  clear: 0,
  propagation: MS_PRIVATE,
  recursive: false,
};

function layerCount(options: [string, string][]): string {
  const count = options.filter(([key]) => key === "lowerdir+").length;
  return count === 1 ? "a read-only layer" : `${count} read-only layers`;
}

/** The host's root as a layer that others may lie upon; see storage/overlay/mount.ts. */
function belowOperations(mounts: NewMount[], mountPoint: string): Operation[] {
  return mounts.flatMap(({ type, options }) => [
    {
      ...storage,
      op: "fsmount",
      what:
        type === "overlay" ? "make an overlay of this machine's root and nothing above it" : `make a ${type}`,
      why:
        type === "overlay"
          ? "the image's layers lie inside that root: the kernel stacks no layer upon one that contains it"
          : "the nothing that goes above this machine's root in an overlay of its own",
      slot: SLOT_ROOT,
      type,
      attributes: 0,
      options: [["source", type], ...options],
    },
    ...attached(mountPoint),
    { ...storage, op: "close", what: "close it", why: "the next one goes over it", slot: SLOT_ROOT },
  ]);
}

/** Operations that leave the root attached at `mountPoint`, and open in SLOT_ROOT. */
export function rootOperations(mount: RootMountRequest, mountPoint: string): Operation[] {
  if (mount.kind === "fsmount")
    return [
      ...belowOperations(mount.below, mountPoint),
      {
        ...storage,
        op: "fsmount",
        what: `make the ${mount.type} of ${layerCount(mount.options)} and one to write to`,
        why: "copy-on-write: what the container changes goes to its own directory",
        slot: SLOT_ROOT,
        type: mount.type,
        attributes: 0,
        options: [["source", mount.type], ...mount.options],
      },
      ...attached(mountPoint),
      PRIVATE,
    ];
  if (mount.kind === "bind")
    return [
      {
        ...storage,
        op: "open_tree",
        what: `clone the tree at ${mount.source}`,
        why: mount.why,
        slot: SLOT_ROOT,
        path: mount.source,
        flags: OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE,
      },
      ...attached(mountPoint),
      PRIVATE,
    ];
  return [
    ...belowOperations(mount.below, mountPoint),
    {
      ...storage,
      op: "mount",
      what: `mount the ${mount.type}`,
      why: "copy-on-write: what the container changes goes to its own directory",
      directory: mount.directory,
      source: mount.type,
      target: mountPoint,
      type: mount.type,
      flags: 0,
      data: mount.data,
    },
    {
      ...storage,
      op: "open_root",
      what: "open it",
      why: "everything is resolved inside it",
      slot: SLOT_ROOT,
      path: mountPoint,
    },
    PRIVATE,
  ];
}
