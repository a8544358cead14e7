/** The database: names, references and leases, which must be decided atomically between processes. */

import { BockerError } from "../base/errors.ts";
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../os/constants.ts";
import { openat, pwriteAll, withFd } from "../os/files.ts";
import { exists } from "../os/host-files.ts";
import { statatIfExists } from "../os/metadata.ts";
import type { Database, OpenDatabase } from "../os/sqlite.ts";
import { isSystemError } from "../os/system-error.ts";

/** 2: names may stand for indexes (indexes.ts); version 1 would remove what those need. */
const VERSION = 2;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS containers (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image TEXT NOT NULL, created TEXT NOT NULL, record TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS images (id TEXT PRIMARY KEY, created TEXT NOT NULL, record TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tags (name TEXT PRIMARY KEY, image TEXT NOT NULL, image_index TEXT) STRICT;
CREATE TABLE IF NOT EXISTS digests (name TEXT PRIMARY KEY, image TEXT NOT NULL, image_index TEXT) STRICT;
CREATE TABLE IF NOT EXISTS indexes (digest TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS layers (chain TEXT PRIMARY KEY, diff TEXT NOT NULL, size INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS addresses (
  network TEXT NOT NULL, address TEXT NOT NULL, container TEXT NOT NULL, PRIMARY KEY (network, address)
) STRICT;
CREATE TABLE IF NOT EXISTS volumes (name TEXT PRIMARY KEY, created TEXT NOT NULL, record TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;

/** Bytes of the log's file that are always there: room on a full disk for what has to be removed. */
const LOG_KEPT = 1 << 20;

/** Milliseconds that one process waits for another. */
const BUSY_TIMEOUT = "PRAGMA busy_timeout=10000";

/**
 * Of this connection. Commands end by _exit(2) and do not close the database, which would cost three fsyncs: the log (-wal)
 * stays, and the next command reads it. SQLite's own checkpoints would not make it shorter: a log starts over only in the
 * process that has copied all of it, and whoever opens it next copies it from its start again, at every commit.
 *
 * synchronous=FULL: a commit is on the disk before it returns (R1). With NORMAL a power cut takes back what was reported,
 * and, worse, only the record of it: files that were made or removed after the commit may be on the disk when it is not (R2).
 */
const SETTINGS = `${BUSY_TIMEOUT}; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=${LOG_KEPT}`;

/** Bytes of the log's file, which has no locks of SQLite's: they are on the database and on the index. */
const logSize = (path: string) => statatIfExists(AT_FDCWD, `${path}-wal`)?.size ?? 0;

/**
 * Makes the log's file LOG_KEPT long. Zeros behind its last page are no pages. The caller has begun to write, so that nobody else
 * does; without room it is as short as it is.
 */
function reserveLog(path: string): void {
  const size = logSize(path);
  if (path === ":memory:" || size >= LOG_KEPT) return;
  try {
    const fd = openat(AT_FDCWD, `${path}-wal`, O_WRONLY | O_CLOEXEC);
    withFd(fd, () => pwriteAll(fd, Buffer.alloc(LOG_KEPT - size), size));
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

/**
 * Copies the log into the database and begins it anew, by writing something; LOG_KEPT of its file stay. While somebody else reads
 * or writes it stays as it is, and the next to commit tries again.
 */
function renewLog(database: Database): void {
  database.exec("PRAGMA busy_timeout=0");
  try {
    const result = database.prepare("PRAGMA wal_checkpoint(RESTART)").get();
    if (result?.["busy"] === 0) database.exec(`PRAGMA user_version=${VERSION}`);
  } finally {
    database.exec(BUSY_TIMEOUT);
  }
}

function versionOf(database: Database): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
}

/** @param exclusive the log's index is in memory, and other processes wait: for a disk that has no room for it */
function openedIn(
  path: string,
  open: OpenDatabase,
  exclusive: boolean,
): { database: Database; found: number } {
  const database = open(path);
  try {
    if (exclusive) database.exec("PRAGMA locking_mode=EXCLUSIVE");
    database.exec(SETTINGS);
    return { database, found: versionOf(database) };
  } catch (error) {
    database.close();
    throw error;
  }
}

function opened(path: string, open: OpenDatabase): { database: Database; found: number } {
  try {
    return openedIn(path, open, false);
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    return openedIn(path, open, true);
  }
}

/** Makes what is missing, in one transaction. Another process may have done it meanwhile. */
function upgrade(database: Database): void {
  database.exec("PRAGMA journal_mode=WAL");
  database.exec("BEGIN IMMEDIATE");
  if (versionOf(database) < VERSION) {
    database.exec(SCHEMA);
    // Version 1 had these tables already.
    for (const table of ["tags", "digests"])
      if (database.prepare(`PRAGMA table_info(${table})`).all().length === 2)
        database.exec(`ALTER TABLE ${table} ADD COLUMN image_index TEXT`);
    database.exec(`PRAGMA user_version=${VERSION}`);
  }
  database.exec("COMMIT");
}

/** Opens the state, making it or bringing it up to this version. */
export function openState(path: string, open: OpenDatabase): Database {
  const { database, found } = opened(path, open);
  if (found > VERSION)
    throw new BockerError(
      "platform",
      `${path} was written by a newer bocker (format ${found}, this one knows ${VERSION}): use that one`,
    );
  if (found < VERSION) upgrade(database);
  return database;
}

/** Opens the state to look at: it refuses writes. Where there is none yet, it is empty and in memory. */
export function openStateToRead(path: string, open: OpenDatabase): Database {
  if (!exists(path)) return openState(":memory:", open);
  const database = openState(path, open);
  database.exec("PRAGMA query_only=ON");
  return database;
}

export interface TransactionOptions {
  /** For what ends with this boot: other processes see it at once, but a power cut may take it back. */
  passing?: boolean;
}

/**
 * Runs `action` in one transaction that other processes see whole or not at all, and that is on the disk then. On a full disk it
 * may be run twice.
 */
export function transaction<T>(
  database: Database,
  path: string,
  action: () => T,
  { passing = false }: TransactionOptions = {},
): T {
  if (!passing) return inTransaction(database, path, action);
  database.exec("PRAGMA synchronous=NORMAL");
  try {
    return inTransaction(database, path, action);
  } finally {
    database.exec("PRAGMA synchronous=FULL");
  }
}

const isNoSpace = (error: unknown) => error instanceof BockerError && error.code === "no-space";
const isBusy = (error: unknown) => error instanceof BockerError && error.code === "busy";

function inTransaction<T>(database: Database, path: string, action: () => T): T {
  let result: T;
  try {
    result = attempt(database, path, action);
  } catch (error) {
    // What was in the log need not be, and then there may be room.
    if (!isNoSpace(error) || !tryToRenewLog(database)) throw error;
    return attempt(database, path, action);
  }
  // Not by its index, which would tell better: closing that would give up SQLite's locks on it (sqlite.org/howtocorrupt.html).
  if (logSize(path) > LOG_KEPT) tryToRenewLog(database);
  return result;
}

/**
 * False when there is no room for that either, or when somebody else began to write between its two steps: what was committed is
 * committed, and must not be told as failed.
 */
function tryToRenewLog(database: Database): boolean {
  try {
    renewLog(database);
    return true;
  } catch (error) {
    if (!isNoSpace(error) && !isBusy(error)) throw error;
    return false;
  }
}

function attempt<T>(database: Database, path: string, action: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    reserveLog(path);
    const result = action();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    try {
      database.exec("ROLLBACK");
    } catch {
      // A full disk has rolled it back already; what is to be told is why.
    }
    throw error;
  }
}
