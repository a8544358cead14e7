/** The files of a container that does not run, as it would see them: mounted where nobody but the engine gets to. */
import { CLONE_NEWNS, O_CLOEXEC, O_RDONLY } from "../../os/constants.ts";
import type { RuntimeMount } from "../../spec/runtime.ts";
import { SLAVE_OF_HOST } from "./compile.ts";
import { mountOperations } from "./mounts.ts";
import type { Operation } from "./operation.ts";
import { READONLY_ROOT } from "./settle.ts";
import { SLOT_MNTNS, SLOT_ROOT } from "./slots.ts";

export interface FilesContext {
  /** Leaves the container's root attached and in SLOT_ROOT. */
  storage: Operation[];
  readonlyRoot: boolean;
  /** Of files and directories; what else a container has mounted are no files that it could keep. */
  mounts: RuntimeMount[];
  /** Sources of bind mounts that are files. */
  fileSources: ReadonlySet<string>;
}

const HOST_NAMESPACE: Operation = {
  op: "open",
  phase: "host",
  group: "namespaces",
  what: "hold the host's mount namespace",
  why: "the launcher goes back to it at the end",
  slot: SLOT_MNTNS,
  path: "/proc/self/ns/mnt",
  flags: O_RDONLY | O_CLOEXEC,
};

const NAMESPACE: Operation = {
  op: "unshare",
  phase: "host",
  group: "namespaces",
  what: "unshare the mount namespace",
  why: "what is mounted here nobody else sees, and it goes with this process",
  flags: CLONE_NEWNS,
};

const HAND_OVER: Operation = {
  op: "hand_over",
  phase: "host",
  group: "mounts",
  what: "give the engine the root's descriptor",
  why: "by it alone it looks names up, so that no link in the container leads anywhere else",
  slot: SLOT_ROOT,
};

/** An overlay is unmounted when the disk has what was written to it: only then may another start mount it, and the lock be free. */
const LEAVE: Operation[] = [
  {
    op: "close",
    phase: "cleanup",
    group: "mounts",
    what: "close the root",
    why: "it would stay mounted",
    slot: SLOT_ROOT,
  },
  {
    op: "setns",
    phase: "cleanup",
    group: "mounts",
    what: "go back to the host's mount namespace",
    why: "all that is mounted in the other goes with it, before this process and the container's lock do",
    slot: SLOT_MNTNS,
    type: CLONE_NEWNS,
  },
];

/** What a start does for a container's root, by the launcher itself: there is no process of a container. */
export function filesOperations({ storage, readonlyRoot, mounts, fileSources }: FilesContext): Operation[] {
  const mounted = [
    ...storage,
    ...mounts.flatMap((mount) => mountOperations(mount, fileSources.has(mount.source))),
    ...(readonlyRoot ? [READONLY_ROOT] : []),
  ];
  return [
    HOST_NAMESPACE,
    NAMESPACE,
    ...[SLAVE_OF_HOST, ...mounted].map((operation): Operation => ({ ...operation, phase: "host" })),
    HAND_OVER,
    ...LEAVE,
  ];
}
