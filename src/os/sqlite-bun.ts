/** SQLite by bun:sqlite. */
import { Database as BunDatabase, SQLiteError } from "bun:sqlite";
import { BockerError } from "../base/errors.ts";
import type { Database, SqlRow } from "./sqlite.ts";

/** What the disk under the database or another process refuses, in the words that every other file's errors have. */
function storageError(error: unknown, path: string): unknown {
  const code = error instanceof SQLiteError ? (error.code ?? "") : "";
  if (code.startsWith("SQLITE_BUSY"))
    return new BockerError("busy", `${path} is in use by another bocker that does not let go: try again`);
  if (code === "SQLITE_FULL") return new BockerError("no-space", `write ${path}: no space left on device`);
  // Its shared memory needs room, too: SQLite does not tell the one from the other.
  if (code.startsWith("SQLITE_IOERR"))
    return new BockerError("no-space", `${path}: input/output error: is the disk full, or broken? (${code})`);
  return error;
}

export function openBunDatabase(path: string): Database {
  const attempt = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw storageError(error, path);
    }
  };
  const database = attempt(() => new BunDatabase(path));
  return {
    exec: (sql) => {
      attempt(() => database.run(sql));
    },
    prepare: (sql) => {
      const query = attempt(() => database.query(sql));
      return {
        all: (...values) => attempt(() => query.all(...values) as SqlRow[]),
        get: (...values) => attempt(() => (query.get(...values) as SqlRow | null) ?? undefined),
        run: (...values) => attempt(() => query.run(...values)),
      };
    },
    close: () => database.close(),
  };
}
