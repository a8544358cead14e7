/** What is explained: a plan, and what the engine does before and after the launcher carries it out. */
import type { Operation, Phase, Plan } from "../plan/operation.ts";
import type { Step } from "../plan/step.ts";

/** Which image a container is made from. */
export interface ImageSummary {
  reference: string;
  id: string;
  /** Directories, the topmost first. */
  layers: string[];
}

export interface Explanation {
  /** The container's id; in texts for people it is cut to twelve digits. */
  id: string;
  /** "" when it gets a generated one. */
  name: string;
  image?: ImageSummary;
  /** Done by the engine before the launcher runs. */
  before: Step[];
  /** Done by the engine while the launcher makes the container's process; what is left of the plan follows then. */
  meanwhile: Step[];
  plan: Plan;
  /** Done by the engine after the monitor has ended. */
  after: Step[];
  /**
   * What the descriptors are that the launcher gets, from SLOT_INHERITED on: paths below /proc, ports, or for
   * an exec the pid of the container's first process.
   */
  inherited: string[];
}

/** An operation and its place in the plan, by which the launcher reports it. */
export interface Numbered {
  index: number;
  operation: Operation;
}

/** The operations of one phase, in the order in which they are carried out. */
export function operationsOf(plan: Plan, phase: Phase): Numbered[] {
  return plan.operations
    .map((operation, index) => ({ index, operation }))
    .filter(({ operation }) => operation.phase === phase);
}
