/** Where the launcher is born, as steps. */
import type { Step } from "./step.ts";

/** What this needs to know of where monitors are (cgroup/monitors.ts). */
export interface MonitorRequest {
  bornIn: { directory: string; directories: string[] } | undefined;
  directories: string[];
  enter: string[];
}

/** Why it is not left where bocker was called. */
export const APART =
  "with the service or login that bocker was called from would end what watches the container";

/** What leads to the cgroup of v2 that the launcher is born in. */
export function monitorSteps(monitor: MonitorRequest): Extract<Step, { step: "cgroup" }>[] {
  return (monitor.bornIn?.directories ?? []).map((path) => ({
    step: "cgroup",
    group: "cgroup",
    what: `make ${path} where it is missing`,
    why: APART,
    path,
  }));
}
