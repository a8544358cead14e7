/** Records that mention something. The text of all is searched, which takes a fraction of the time that reading them takes. */
import type { Database } from "../os/sqlite.ts";

/** Each is one more search of all records: for more, reading them once is faster. */
const MOST = 16;

/** Ids of records in which one of the texts is a value, and perhaps of a few others; undefined where the texts are too many. */
export function idsMentioning(
  database: Database,
  table: "images" | "containers",
  texts: readonly string[],
): string[] | undefined {
  if (texts.length > MOST) return undefined;
  if (texts.length === 0) return [];
  const where = texts.map(() => "instr(record, ?)").join(" OR ");
  return database
    .prepare(`SELECT id FROM ${table} WHERE ${where}`)
    .all(...texts.map((text) => JSON.stringify(text)))
    .map(({ id }) => String(id));
}
