/**
 * What the engine does itself, before it starts the launcher and after the monitor has ended. A step is data, as
 * an operation is: what is printed is what is done.
 */
import type { Group } from "./operation.ts";

export interface StepFields {
  /** A directory with exactly this mode. */
  directory: { path: string; mode: number };
  /** A copy of a whole tree, which the storage driver makes. */
  clone: { from: string; path: string; limit: number | undefined; command: string[] };
  /** A file, written anew. */
  file: { path: string; content: string; mode: number };
  /** A file of the kernel's (sysctl); one that this kernel does not have is skipped. */
  setting: { path: string; value: string };
  netlink: { protocol: number; acks: number; message: Uint8Array; commands: string[] };
  /** A cgroup, where it is missing. */
  cgroup: { path: string };
  /** Moves every process of a cgroup to another one, until none is left. */
  evacuate: { from: string; to: string };
  /** A row in the database. */
  record: { database: string; table: string };
  /** Starts the launcher, which carries out the plan, in a cgroup of v2; "": where the engine is. */
  launch: { program: string; cgroup: string };
  /** A file or a whole directory. */
  remove: { path: string };
}

export type StepName = keyof StepFields;

export type Step = {
  [K in StepName]: {
    step: K;
    group: Group;
    /** What is done, in one line. */
    what: string;
    /** Why it is done. */
    why: string;
  } & StepFields[K];
}[StepName];
