/** The database: names, references and leases, which must be decided atomically between processes. */
import { existsSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import { type Database, openDatabase } from "../os/sqlite.ts";

const VERSION = 1;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS containers (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image TEXT NOT NULL, created TEXT NOT NULL, record TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS images (id TEXT PRIMARY KEY, created TEXT NOT NULL, record TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tags (name TEXT PRIMARY KEY, image TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS digests (name TEXT PRIMARY KEY, image TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS layers (chain TEXT PRIMARY KEY, diff TEXT NOT NULL, size INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS addresses (
  network TEXT NOT NULL, address TEXT NOT NULL, container TEXT NOT NULL, PRIMARY KEY (network, address)
) STRICT;
CREATE TABLE IF NOT EXISTS volumes (name TEXT PRIMARY KEY, created TEXT NOT NULL, record TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;

/** Opens the state, making it or bringing it up to this version. */
export function openState(path: string): Database {
  const database = openDatabase(path);
  database.exec("PRAGMA busy_timeout=10000");
  const found = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (found > VERSION)
    throw new BockerError(
      "platform",
      `${path} was written by a newer bocker (format ${found}, this one knows ${VERSION}): use that one`,
    );
  if (found < VERSION) {
    database.exec("PRAGMA journal_mode=WAL");
    database.exec("PRAGMA synchronous=NORMAL");
    database.exec("BEGIN IMMEDIATE");
    database.exec(SCHEMA);
    database.exec(`PRAGMA user_version=${VERSION}`);
    database.exec("COMMIT");
  }
  database.exec("PRAGMA synchronous=NORMAL");
  return database;
}

/** Opens the state to look at: it refuses writes. Where there is none yet, it is empty and in memory. */
export function openStateToRead(path: string): Database {
  if (!existsSync(path)) return openState(":memory:");
  const database = openState(path);
  database.exec("PRAGMA query_only=ON");
  return database;
}

/** Runs `action` in one transaction that other processes see whole or not at all. */
export function transaction<T>(database: Database, action: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = action();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}
