/**
 * Where the time of a run went: the engine's own phases, and between them what the launcher and the container did.
 * All times are milliseconds of CLOCK_MONOTONIC, which every process of the machine shares.
 */
import { LAUNCHED } from "../launch/launcher.ts";
import type { Operation, Phase, Plan } from "../plan/operation.ts";

/** The end of one of the engine's phases; the first is where they begin. */
export interface Mark {
  what: string;
  at: number;
}

export interface TimingRow {
  who: "kernel" | "bocker" | "monitor" | "container" | "";
  what: string;
  /** When it began. */
  at: number;
  took: number;
}

const MONITOR: readonly Phase[] = ["host", "host-after"];
const CONTAINER: readonly Phase[] = ["container"];
const NANOSECONDS = 1e6;

/** What operations are summed up under: their group, or the one thing that is worth a row of its own. */
function titleOf({ op, group, what }: Operation): string {
  return op === "clone" || op === "wait" ? what : group;
}

/** The rows of one process, a group each. An operation's time is from the end of the one before it. */
function rowsOf(
  who: TimingRow["who"],
  phases: readonly Phase[],
  begin: number,
  plan: Plan,
  times: BigUint64Array,
): TimingRow[] {
  const rows: TimingRow[] = [];
  let last = begin;
  plan.operations.forEach((operation, index) => {
    const end = Number(times[index] ?? 0n) / NANOSECONDS;
    // exec leaves no time of its own: what comes after it is the program.
    if (!phases.includes(operation.phase) || end === 0) return;
    const what = titleOf(operation);
    const row = rows.find((other) => other.what === what);
    // Two processes write at once: the child may be past its first step before clone3 has returned.
    const took = Math.max(0, end - last);
    if (row !== undefined) row.took += took;
    else rows.push({ who, what, at: last, took });
    last = end;
  });
  return rows;
}

function launcherRows(begin: number, plan: Plan, times: BigUint64Array): TimingRow[] {
  const clone = plan.operations.findIndex(({ op }) => op === "clone");
  const born = clone < 0 ? begin : Number(times[clone] ?? 0n) / NANOSECONDS;
  return [
    ...rowsOf("monitor", MONITOR, begin, plan, times),
    ...rowsOf("container", CONTAINER, born, plan, times),
  ];
}

/**
 * The rows, in the order in which they began; processes run at the same time.
 * @param times of the launcher's operations, in the plan's order; undefined when it did not tell
 */
export function timingRows(
  marks: readonly Mark[],
  plan: Plan | undefined,
  times: BigUint64Array | undefined,
): TimingRow[] {
  const rows: TimingRow[] = [];
  const [begin, ...phases] = marks;
  let last = begin?.at ?? 0;
  for (const { what, at } of phases) {
    rows.push({ who: "bocker", what, at: last, took: at - last });
    if (what === LAUNCHED && plan !== undefined && times !== undefined)
      rows.push(...launcherRows(at, plan, times));
    last = at;
  }
  return rows.sort((a, b) => a.at - b.at);
}
