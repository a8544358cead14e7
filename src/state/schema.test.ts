import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Database } from "../os/sqlite.ts";
import { openBunDatabase } from "../os/sqlite-bun.ts";
import { openState, transaction } from "./schema.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bocker-test-"));
  path = join(directory, "state.db");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** More than the log may keep, so that its transaction wants to begin the log anew. */
const insertMuch = (database: Database, id: string) =>
  transaction(database, path, () =>
    database.prepare("INSERT INTO images VALUES (?, '', ?)").run(id, "x".repeat(2 << 20)),
  );
const idsIn = (database: Database) =>
  database
    .prepare("SELECT id FROM images ORDER BY id")
    .all()
    .map(({ id }) => id);

test("somebody who begins to write between the log's copy and its new beginning: what was committed is not told as failed", () => {
  const other = openState(path, openBunDatabase);
  let checkpoints = 0;
  const database = openState(path, (name) => {
    const inner = openBunDatabase(name);
    return {
      ...inner,
      prepare: (sql) => {
        const statement = inner.prepare(sql);
        if (!sql.includes("wal_checkpoint")) return statement;
        return {
          ...statement,
          get: (...values) => {
            const row = statement.get(...values);
            checkpoints++;
            other.exec("BEGIN IMMEDIATE");
            return row;
          },
        };
      },
    };
  });
  insertMuch(database, "one");
  expect(checkpoints).toBe(1);
  other.exec("COMMIT");
  // And it waits for others again, rather than to be refused at once.
  expect(database.prepare("PRAGMA busy_timeout").get()?.["timeout"]).toBe(10_000);
  insertMuch(other, "two");
  expect(idsIn(database)).toEqual(["one", "two"]);
  database.close();
  other.close();
});

test("a database that another process does not let go is said to be in use", () => {
  const [one, other] = [openState(path, openBunDatabase), openState(path, openBunDatabase)];
  one.exec("PRAGMA busy_timeout=0");
  other.exec("BEGIN IMMEDIATE");
  expect(() => transaction(one, path, () => undefined)).toThrow(
    `${path} is in use by another bocker that does not let go: try again`,
  );
  one.close();
  other.close();
});
