/**
 * --timings: where the time of a run went, from the first instruction of its process to the last. A process cannot
 * see its own birth and death, so the run happens in a second one, which tells its phases to the first.
 */
import { spawn } from "node:child_process";
import { write } from "../os/files.ts";
import { CLOCK_MONOTONIC, clockGettime } from "../os/processes.ts";
import { type Mark, type TimingRow, timingRows } from "../runtime/explain/timings.ts";
import type { Plan } from "../runtime/plan/operation.ts";
import { printError, table } from "./output.ts";

/** In the environment of the second process: the descriptor to tell the first one by. */
const TOLD = "BOCKER_TIMINGS_FD";
const REPORT_FD = 3;

function now(): number {
  const { sec, nsec } = clockGettime(CLOCK_MONOTONIC);
  return sec * 1e3 + nsec / 1e6;
}

/** Notes the ends of phases, and tells them in the end. */
export class Stopwatch {
  /** The first is the runtime's own beginning. */
  readonly #marks: Mark[] = [{ what: "begin", at: now() - performance.now() }];

  /** Ends a phase. */
  mark(what: string): void {
    this.#marks.push({ what, at: now() });
  }

  async tell(plan: () => Promise<Plan>, times: BigUint64Array | undefined): Promise<void> {
    write(REPORT_FD, Buffer.from(JSON.stringify(timingRows(this.#marks, await plan(), times))));
  }
}

/** Whether this is the process that is timed. */
export function isTimed(): boolean {
  return process.env[TOLD] !== undefined;
}

/** Runs the same command line in a process of its own and prints the table. Returns its exit code. */
export async function runTimed(): Promise<number> {
  const start = now();
  const child = spawn(process.execPath, process.argv.slice(2), {
    stdio: ["inherit", "inherit", "inherit", "pipe"],
    env: { ...process.env, [TOLD]: String(REPORT_FD) },
  });
  // The terminal sends its signals to both; what was sent to this one only is passed on.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const)
    process.on(name, () => child.kill(name));
  let report = "";
  child.stdio[REPORT_FD]?.on("data", (bytes) => {
    report += String(bytes);
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? 125));
  });
  if (report !== "") printTable(start, now(), JSON.parse(report) as TimingRow[]);
  return code;
}

function printTable(start: number, end: number, rows: TimingRow[]): void {
  const last = Math.max(
    start,
    ...rows.filter(({ who }) => who === "bocker").map(({ at, took }) => at + took),
  );
  const first = rows[0]?.at ?? end;
  const all: TimingRow[] = [
    { who: "kernel", what: "start the process", at: start, took: first - start },
    ...rows,
    { who: "kernel", what: "take the process down", at: last, took: end - last },
    { who: "", what: "total", at: start, took: end - start },
  ];
  const cells = all.map(({ who, what, at, took }) => [
    (at - start).toFixed(2).padStart(8),
    took.toFixed(2).padStart(8),
    who,
    what,
  ]);
  printError(table(["   AT MS", " TOOK MS", "WHO", "WHAT"], cells));
}
