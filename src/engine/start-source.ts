/** A start as bytes for the launcher, wherever they come from: decided now, or kept from a start like it. */
import type { MonitorPlace } from "../cgroup/monitors.ts";
import type { Plan } from "../runtime/plan/operation.ts";
import type { NetworkPlan } from "./network.ts";
import type { CgroupStep, FileStep } from "./steps.ts";

export interface StartOptions {
  /** Nothing of the container outlives its end: it need not reach the disk. */
  disposable: boolean;
  terminal: { rows: number; columns: number } | undefined;
  timings: boolean;
  detachKeys: Uint8Array;
  /** Told when a phase of the start has ended. */
  mark?: ((phase: string) => void) | undefined;
}

/** The rest of a start's plan. */
export interface Rest {
  bytes: Uint8Array;
  /** To be written before these operations are carried out. */
  files: FileStep[];
}

export interface StartSource {
  /** Done before the launcher starts, where bocker itself is in a container. */
  readonly steps: readonly CgroupStep[];
  /** To be written before the launcher starts. */
  readonly files: readonly FileStep[];
  /** Where the launcher, which becomes the monitor, is born. */
  readonly place: MonitorPlace;
  /** The first part of the plan: what is carried out while the rest is decided. */
  beginning(): Uint8Array;
  /** @throws BockerError "start-failed" for a user that the image does not have */
  rest(network: NetworkPlan): Promise<Rest>;
  /** The same as operations, in their order: which one failed, and what it was, is asked rarely. */
  plan(network: NetworkPlan): Promise<Plan>;
}
