/**
 * The plan's vocabulary: one operation is one system call, or a fixed small group of them, that the
 * launcher carries out. The field order below is the argument order of launcher/PROTOCOL.md.
 */

/** In which process and when an operation runs (enum phase in launcher/plan.h). */
export const PHASES = ["host", "host-after", "container", "cleanup", "started", "ended"] as const;
export type Phase = (typeof PHASES)[number];

/** What `--explain` groups by. */
export const GROUPS = [
  "image",
  "storage",
  "cgroup",
  "network",
  "namespaces",
  "mounts",
  "identity",
  "exec",
] as const;
export type Group = (typeof GROUPS)[number];

/** How a missing mount point is made (KIND_* in launcher/plan.h). */
export const KIND_EXISTING = 0;
export const KIND_DIRECTORY = 1;
export const KIND_FILE = 2;

/** "No slot" and "nothing to patch". */
export const NONE = 0xffffffffffffffffn;

/** What the launcher adds to the head of an event's line (launcher/ops_events.c): the sum is the digit before it. */
export const EVENT_CODE = 1;
export const EVENT_DURATION = 2;
/** The line is for a container that was out of memory only. */
export const EVENT_OOM = 4;

export interface OperationFields {
  mkdir: { path: string; mode: number };
  write: { path: string; data: string };
  symlink: { target: string; path: string };
  mknod: { path: string; mode: number; major: number; minor: number; uid: number; gid: number };
  rmdir: { path: string };
  unlink: { path: string };
  open: { slot: number; path: string; flags: number };
  close: { slot: number };
  mount: { directory: string; source: string; target: string; type: string; flags: number; data: string };
  fsmount: { slot: number; type: string; attributes: number; options: [key: string, value: string][] };
  open_tree: { slot: number; path: string; flags: number };
  mount_setattr: { slot: number; set: number; clear: number; propagation: number; recursive: boolean };
  move_mount: {
    slot: number;
    root: number;
    path: string;
    kind: number;
    resolve: number;
    overProc: boolean;
  };
  propagation: { path: string; flags: number };
  pivot_root: { slot: number };
  mask: { path: string };
  readonly: { path: string };
  open_root: { slot: number; path: string };
  mkdir_in_root: { root: number; path: string };
  sethostname: { name: string };
  setdomainname: { name: string };
  rlimit: { resource: number; soft: bigint; hard: bigint };
  cap_bound: { keep: bigint };
  identity: { uid: number; gid: number; groups: number[] };
  capset: { effective: bigint; permitted: bigint; inheritable: bigint; ambient: bigint };
  no_new_privs: Record<never, never>;
  seccomp: { flags: number; program: Uint8Array };
  chdir: { path: string };
  umask: { mask: number };
  keyring: { name: string };
  dumpable: { value: number };
  clone: { flags: number; cgroup: number | bigint };
  open_ns: { slot: number; name: string };
  unshare: { flags: number };
  setns: { slot: number; type: number };
  netlink: {
    protocol: number;
    patch: number | bigint;
    slot: number;
    acks: number;
    message: Uint8Array;
  };
  wait: Record<never, never>;
  signal: Record<never, never>;
  stdio: { tty: boolean; console: boolean; rows: number; columns: number; uid: number };
  deathsig: Record<never, never>;
  reaper: Record<never, never>;
  close_rest: Record<never, never>;
  exec: { argv: string[]; env: string[]; candidates: string[] };
  bpf_device: { slot: number; program: Uint8Array };
  succeed: Record<never, never>;
  await_link: { index: number };
  events: { path: string; limit: number; lines: string };
  hand_over: { slot: number };
}

export type OperationName = keyof OperationFields;

/** Operation codes and argument order; launcher/plan.h has the same numbers. */
export const OPERATIONS: { [K in OperationName]: { code: number; fields: (keyof OperationFields[K])[] } } = {
  mkdir: { code: 1, fields: ["path", "mode"] },
  write: { code: 2, fields: ["path", "data"] },
  symlink: { code: 3, fields: ["target", "path"] },
  mknod: { code: 4, fields: ["path", "mode", "major", "minor", "uid", "gid"] },
  rmdir: { code: 5, fields: ["path"] },
  unlink: { code: 6, fields: ["path"] },
  open: { code: 7, fields: ["slot", "path", "flags"] },
  close: { code: 8, fields: ["slot"] },
  mount: { code: 10, fields: ["directory", "source", "target", "type", "flags", "data"] },
  fsmount: { code: 11, fields: ["slot", "type", "attributes", "options"] },
  open_tree: { code: 12, fields: ["slot", "path", "flags"] },
  mount_setattr: { code: 13, fields: ["slot", "set", "clear", "propagation", "recursive"] },
  move_mount: { code: 14, fields: ["slot", "root", "path", "kind", "resolve", "overProc"] },
  propagation: { code: 15, fields: ["path", "flags"] },
  pivot_root: { code: 16, fields: ["slot"] },
  mask: { code: 17, fields: ["path"] },
  readonly: { code: 18, fields: ["path"] },
  open_root: { code: 19, fields: ["slot", "path"] },
  sethostname: { code: 20, fields: ["name"] },
  rlimit: { code: 21, fields: ["resource", "soft", "hard"] },
  cap_bound: { code: 22, fields: ["keep"] },
  identity: { code: 23, fields: ["uid", "gid", "groups"] },
  capset: { code: 24, fields: ["effective", "permitted", "inheritable", "ambient"] },
  no_new_privs: { code: 25, fields: [] },
  seccomp: { code: 26, fields: ["flags", "program"] },
  chdir: { code: 27, fields: ["path"] },
  exec: { code: 28, fields: ["argv", "env", "candidates"] },
  umask: { code: 29, fields: ["mask"] },
  keyring: { code: 30, fields: ["name"] },
  unshare: { code: 31, fields: ["flags"] },
  setns: { code: 32, fields: ["slot", "type"] },
  netlink: { code: 33, fields: ["protocol", "patch", "slot", "acks", "message"] },
  wait: { code: 34, fields: [] },
  signal: { code: 35, fields: [] },
  stdio: { code: 36, fields: ["tty", "console", "rows", "columns", "uid"] },
  clone: { code: 37, fields: ["flags", "cgroup"] },
  deathsig: { code: 38, fields: [] },
  reaper: { code: 39, fields: [] },
  close_rest: { code: 40, fields: [] },
  dumpable: { code: 41, fields: ["value"] },
  mkdir_in_root: { code: 42, fields: ["root", "path"] },
  setdomainname: { code: 43, fields: ["name"] },
  bpf_device: { code: 44, fields: ["slot", "program"] },
  open_ns: { code: 45, fields: ["slot", "name"] },
  succeed: { code: 47, fields: [] },
  await_link: { code: 48, fields: ["index"] },
  events: { code: 49, fields: ["path", "limit", "lines"] },
  hand_over: { code: 50, fields: ["slot"] },
};

/** One step of a plan: what the launcher does, and what a reader is told about it. */
export type Operation = {
  [K in OperationName]: {
    op: K;
    phase: Phase;
    group: Group;
    /** What is done, in one line. */
    what: string;
    /** Why it is done. */
    why: string;
    /** Any error is ignored. */
    optional?: boolean;
    /** This errno counts as success (17 is EEXIST). */
    tolerate?: number;
    /** For what netlink says: the iproute2 or nft commands that say the same. */
    commands?: string[];
  } & OperationFields[K];
}[OperationName];

/** What the launcher's monitor is told (monitor.h, struct monitor_config). */
export interface MonitorConfig {
  tty: boolean;
  stdin: boolean;
  stdinOnce: boolean;
  durable: boolean;
  /** An exec session: no state file and no listening socket. */
  session: boolean;
  logPath: string;
  logMaxSize: number;
  logMaxFiles: number;
  exitPath: string;
  runDirectory: string;
  oomPath: string;
  detachKeys: Uint8Array;
  /** The first descriptor that comes with the plan is the container's lock, let go once the program runs. */
  locked: boolean;
  /** Where a client that removes the container leaves its files, which the monitor deletes; may be "". */
  discardPath: string;
  /**
   * How the engine is called: at the very end when no client has removed the container (with `discardPath`) or a restart policy asks for it, and
   * while the container runs when its health is to be checked.
   */
  callArgv: string[];
  callEnv: string[];
}

/** A container's start, or an exec session's, entirely decided. */
export interface Plan {
  operations: Operation[];
  monitor: MonitorConfig;
  timings: boolean;
}
