/** Descriptor slots that the operations of one plan share (struct context in launcher/plan.h). */

/** Passed in by the engine: the pidfd of the container that an exec joins, or a namespace to join. */
export const SLOT_INHERITED = 32;
/** The container's root; everything below it is resolved inside it. */
export const SLOT_ROOT = 1;
/** A mount that is made and not yet attached. */
export const SLOT_MOUNT = 2;
/** The container's network namespace, for the netlink message that puts the veth's end there. */
export const SLOT_NETNS = 3;
/** The cgroup v2 directory that clone3 puts the container in. */
export const SLOT_CGROUP = 4;
/** The container's mount namespace, held so that tearing it down does not delay the exit. */
export const SLOT_MNTNS = 5;
/** The host's root, for attaching the container's root. */
export const SLOT_HOST = 6;
