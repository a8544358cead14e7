/** SQLite, whichever runtime provides it; Bun: sqlite-bun.ts. */

export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;

export interface Statement {
  all(...values: SqlValue[]): SqlRow[];
  get(...values: SqlValue[]): SqlRow | undefined;
  run(...values: SqlValue[]): { changes: number };
}

export interface Database {
  /** Any number of statements without results. */
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/** Opens (and makes) a database file; ":memory:" for one that is kept nowhere. */
export type OpenDatabase = (path: string) => Database;
