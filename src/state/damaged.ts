/** Records that cannot be read: a damaged one must not stop work on the others (security.md R8). */
import { BockerError } from "../base/errors.ts";
import type { SqlRow } from "../os/sqlite.ts";

/** Told of a record that cannot be read. */
export type OnDamaged = (error: BockerError) => void;

export function damagedRecord(kind: string, id: string, cause: unknown): BockerError {
  const what = `the record of ${kind} ${id} is damaged: 'bocker system check --repair' removes it`;
  return new BockerError("corrupt", what, { cause });
}

/** What `recordOf` makes of the rows, without those that it calls damaged. */
export function readableRecords<T>(rows: SqlRow[], recordOf: (row: SqlRow) => T, onDamaged?: OnDamaged): T[] {
  const records: T[] = [];
  for (const row of rows)
    try {
      records.push(recordOf(row));
    } catch (error) {
      if (!(error instanceof BockerError) || error.code !== "corrupt") throw error;
      onDamaged?.(error);
    }
  return records;
}
