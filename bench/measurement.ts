/** What is measured: a row for each thing that is compared, a series of samples for each who did it. */

export type Unit = "ms" | "KiB" | "per second" | "answers" | "segments";

export interface Row {
  /** The part of the bench that it belongs to. */
  part: string;
  /** Unique: goals refer to it. */
  name: string;
  /** What exactly was done, and by whom where that is not the same. */
  what: string;
  unit: Unit;
  /** By engine, in the order of the table. */
  samples: Map<string, number[]>;
}

export function newRow(part: string, name: string, what: string, unit: Unit = "ms"): Row {
  return { part, name, what, unit, samples: new Map() };
}

export function addSample(row: Row, engine: string, value: number): void {
  const samples = row.samples.get(engine);
  if (samples === undefined) row.samples.set(engine, [value]);
  else samples.push(value);
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median of one engine; undefined when it did not take part. */
export function resultOf(row: Row | undefined, engine: string): number | undefined {
  const samples = row?.samples.get(engine);
  return samples === undefined || samples.length === 0 ? undefined : median(samples);
}
