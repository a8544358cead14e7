/** What a hierarchy adds to a container's start; the same shape for v1 and v2. */

/** One file of a cgroup and what is written to it. */
export interface CgroupWrite {
  path: string;
  value: string;
  why: string;
}

/** What one version of cgroups, or both in a hybrid set-up, add to a start. */
export interface CgroupPlan {
  version: 1 | 2;
  /** v2, inside a container: whose processes are moved where before controllers can be handed down. */
  evacuation: { from: string; to: string } | undefined;
  /** Directories above the container's, outermost first. They may be there, and stay when it ends. */
  parents: string[];
  /** What those above lack before limits below them work. */
  handDown: CgroupWrite[];
  /** Directories to make, in order. */
  directories: string[];
  /** Limits, written before any process is in the cgroup. */
  limits: CgroupWrite[];
  /** Files that the container's init writes "0" to, to move itself (v1). */
  enter: string[];
  /** The directory clone3 puts the container in (v2, and v2's tree of names in a hybrid set-up). */
  cloneInto: string | undefined;
  /** What is shown at /sys/fs/cgroup: [path on the host, path in the container] (v1). */
  binds: [string, string][];
  /** A file with an `oom_kill N` line. */
  oomPath: string;
  /** eBPF program that decides on device access (v2). */
  deviceProgram: Uint8Array | undefined;
}
