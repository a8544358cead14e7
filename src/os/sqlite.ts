/** SQLite, by whichever runtime this is: bun:sqlite in Bun, node:sqlite in Node 22 and newer. */
import { createRequire } from "node:module";

export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;

export interface Statement {
  all(...values: SqlValue[]): SqlRow[];
  get(...values: SqlValue[]): SqlRow | undefined;
  run(...values: SqlValue[]): { changes: number };
}

export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

interface BunDatabase {
  run(sql: string): void;
  query(sql: string): {
    all(...values: SqlValue[]): unknown[];
    get(...values: SqlValue[]): unknown;
    run(...values: SqlValue[]): { changes: number };
  };
  close(): void;
}

interface NodeDatabase {
  exec(sql: string): void;
  prepare(sql: string): {
    all(...values: SqlValue[]): unknown[];
    get(...values: SqlValue[]): unknown;
    run(...values: SqlValue[]): { changes: number | bigint };
  };
  close(): void;
}

const load = createRequire(import.meta.url);

function openBun(path: string): Database {
  const { Database: Implementation } = load("bun:sqlite") as { Database: new (path: string) => BunDatabase };
  const database = new Implementation(path);
  return {
    exec: (sql) => database.run(sql),
    prepare: (sql) => {
      const query = database.query(sql);
      return {
        all: (...values) => query.all(...values) as SqlRow[],
        get: (...values) => (query.get(...values) as SqlRow | null) ?? undefined,
        run: (...values) => query.run(...values),
      };
    },
    close: () => database.close(),
  };
}

function openNode(path: string): Database {
  const { DatabaseSync } = load("node:sqlite") as { DatabaseSync: new (path: string) => NodeDatabase };
  const database = new DatabaseSync(path);
  return {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => {
      const statement = database.prepare(sql);
      return {
        all: (...values) => statement.all(...values) as SqlRow[],
        get: (...values) => statement.get(...values) as SqlRow | undefined,
        run: (...values) => ({ changes: Number(statement.run(...values).changes) }),
      };
    },
    close: () => database.close(),
  };
}

/** Opens (and makes) a database file; ":memory:" for tests. */
export function openDatabase(path: string): Database {
  return process.versions["bun"] === undefined ? openNode(path) : openBun(path);
}
