/** What every scenario works with. */
import { join } from "node:path";
import type { Engine } from "./engines.ts";
import { newRow, type Row, type Unit } from "./measurement.ts";
import type { Options } from "./options.ts";
import { interleave } from "./program.ts";

export interface Bench {
  options: Options;
  /** Where everything is that the bench makes; it is removed with all in it. */
  directory: string;
  /** The checkout. */
  root: string;
  engines: Engine[];
  /** Compiled programs: stopwatch, floor, empty (a Bun program that does nothing). */
  tools: { stopwatch: string; floor: string; empty: string };
  /** The root directory of the small image, which every engine has as "bench". */
  image: string;
  rows: Row[];
  /** "127.0.0.1:5000", started by the first scenario that needs it. */
  registry: () => Promise<string>;
  say: (text: string) => void;
}

/** The small image's name in every engine. */
export const IMAGE = "bench";

export function addRow(bench: Bench, part: string, name: string, what: string, unit: Unit = "ms"): Row {
  const row = newRow(part, name, what, unit);
  bench.rows.push(row);
  return row;
}

/** Every engine with the same words behind its own. */
export function forAll(bench: Bench, words: (engine: Engine) => string[]): Map<string, string[]> {
  return new Map(bench.engines.map((engine) => [engine.name, [...engine.cli, ...words(engine)]]));
}

/** Times the commands side by side. */
export function compare(bench: Bench, row: Row, commands: Map<string, string[]>): void {
  interleave(row, bench.tools.stopwatch, bench.options.rounds, commands);
}

/** A count or a size at this bench's scale; 1 at least. */
export function scaled(bench: Bench, full: number): number {
  return Math.max(1, Math.round(full * bench.options.scale));
}

/** How often something is timed that takes seconds. */
export function longRounds(bench: Bench): number {
  return Math.max(1, Math.round(bench.options.rounds / 5));
}

export function scratch(bench: Bench, name: string): string {
  return join(bench.directory, name);
}
