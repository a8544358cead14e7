/** --timings: notes when the phases of a run end, and prints where the time went. */
import { clockGettime } from "../os/processes.ts";
import { type Mark, timingRows } from "../runtime/explain/timings.ts";
import type { Plan } from "../runtime/plan/operation.ts";
import { printError, table } from "./output.ts";

const CLOCK_MONOTONIC = 1;

function now(): number {
  const { sec, nsec } = clockGettime(CLOCK_MONOTONIC);
  return sec * 1e3 + nsec / 1e6;
}

export class Stopwatch {
  /**
   * When the JS runtime of this process began. The kernel's execve and the loading of the binary before it are not
   * in it: a process cannot see that with better than a clock tick of 10 ms (/proc/self/stat).
   */
  readonly #start = now() - performance.now();
  readonly #marks: Mark[] = [];

  /** Ends a phase. */
  mark(what: string): void {
    this.#marks.push({ what, at: now() });
  }

  /** Prints the table on standard error. */
  print(plan: Plan | undefined, times: BigUint64Array | undefined): void {
    const rows = timingRows(this.#start, this.#marks, plan, times).map(({ who, what, at, took }) => [
      at.toFixed(2).padStart(8),
      took.toFixed(2).padStart(8),
      who,
      what,
    ]);
    printError(table(["   AT MS", " TOOK MS", "WHO", "WHAT"], rows));
  }
}
