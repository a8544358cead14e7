/** `logs`: what a container wrote, from the json-file log that its monitor keeps. */
import { existsSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import { AT_FDCWD, O_CLOEXEC, O_NOFOLLOW, O_RDONLY } from "../os/constants.ts";
import { close, lseek, openat, pread, withFd } from "../os/files.ts";
import { LineReader } from "../os/line-reader.ts";
import { fstat } from "../os/metadata.ts";
import { isSystemError } from "../os/system-error.ts";
import { DirectoryWatch } from "../os/watch.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths } from "../state/paths.ts";
import { hasMonitor, readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";

export interface LogEntry {
  /** With its newline, where the program wrote one. */
  log: string;
  stream: "stdout" | "stderr";
  /** RFC 3339, UTC, always nine digits of nanoseconds: sorts as text */
  time: string;
}

export interface LogQuery {
  follow: boolean;
  /** Only the last so many entries; undefined for all. */
  tail: number | undefined;
  /** Bounds of `time`, in its form. */
  since: string | undefined;
  until: string | undefined;
}

const READ_SIZE = 1 << 18;
const NEWLINE = 0x0a;
const RECHECK_MS = 500;

/** The log's files, the oldest first; the last is the one that grows. */
function logFiles(path: string): string[] {
  const rotated: string[] = [];
  for (let number = 1; existsSync(`${path}.${number}`); number++) rotated.unshift(`${path}.${number}`);
  return [...rotated, path];
}

/** Where the last `count` lines of a file begin, and how many there are of them. */
function tailOffset(fd: number, count: number): { offset: number; lines: number } {
  const buffer = Buffer.alloc(READ_SIZE);
  let end = fstat(fd).size;
  let lines = 0;
  while (end > 0) {
    const start = Math.max(0, end - READ_SIZE);
    const length = pread(fd, buffer, start, end - start);
    for (let at = length - 1; at >= 0; at--)
      if (buffer[at] === NEWLINE && ++lines > count) return { offset: start + at + 1, lines: count };
    end = start;
  }
  return { offset: 0, lines };
}

interface Start {
  file: number;
  offset: number;
}

/** Where reading begins so that at most `count` lines follow. */
function tailStart(files: string[], count: number): Start {
  let missing = count;
  for (let file = files.length - 1; file >= 0; file--) {
    const { offset, lines } = withFd(openLog(files[file]!), (fd) => tailOffset(fd, missing));
    missing -= lines;
    if (missing <= 0 || file === 0) return { file, offset };
  }
  return { file: 0, offset: 0 };
}

function openLog(path: string): number {
  return openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/** Undefined for one that was rotated away, or went with its container. */
function openLogIfThere(path: string): number | undefined {
  try {
    return openLog(path);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** One line of the log; undefined for one that a crash has cut off, or that is none of the monitor's. */
export function parseLogEntry(line: string): LogEntry | undefined {
  let entry: Partial<LogEntry> | null;
  try {
    entry = JSON.parse(line) as typeof entry;
  } catch {
    return undefined;
  }
  const isEntry = [entry?.log, entry?.stream, entry?.time].every((value) => typeof value === "string");
  return isEntry ? (entry as LogEntry) : undefined;
}

/** The next entries of `fd`; undefined at its end. */
function nextEntries(reader: LineReader, fd: number): LogEntry[] | undefined {
  return reader.next(fd)?.flatMap((line) => parseLogEntry(line) ?? []);
}

function within(entries: LogEntry[], query: LogQuery): LogEntry[] {
  const { since, until } = query;
  if (since === undefined && until === undefined) return entries;
  return entries.filter(
    ({ time }) => (since === undefined || time >= since) && (until === undefined || time <= until),
  );
}

/** What the log gains, until the container has ended and all was read. Notices rotation. */
async function* follow(
  engine: Engine,
  record: ContainerRecord,
  opened: number,
  reader: LineReader,
): AsyncGenerator<LogEntry[], void, void> {
  const files = containerPaths(engine.paths, record.id);
  const watch = new DirectoryWatch(files.directory);
  let fd = opened;
  try {
    for (;;) {
      // Asked before the last read: what it wrote before it ended is read then.
      const running =
        readState(engine.paths, record.id).status === "running" || hasMonitor(engine.paths, record.id);
      for (let entries = nextEntries(reader, fd); entries !== undefined; entries = nextEntries(reader, fd))
        yield entries;
      const current = openLogIfThere(files.log);
      if (current !== undefined && fstat(current).ino !== fstat(fd).ino) {
        close(fd);
        fd = current;
        continue;
      }
      if (current !== undefined) close(current);
      if (!running) return;
      await watch.changed(RECHECK_MS);
    }
  } finally {
    watch.close();
    close(fd);
  }
}

/**
 * Entries in batches, oldest first.
 * @throws BockerError "invalid" for a container without a log
 */
export async function* readLogs(
  engine: Engine,
  record: ContainerRecord,
  query: LogQuery,
): AsyncGenerator<LogEntry[], void, void> {
  if (record.host.logDriver === "none")
    throw new BockerError("invalid", "configured logging driver does not support reading");
  const { log } = containerPaths(engine.paths, record.id);
  if (!existsSync(log)) return;
  const files = logFiles(log);
  const start = query.tail === undefined ? { file: 0, offset: 0 } : tailStart(files, query.tail);
  const reader = new LineReader();
  for (let file = start.file; file < files.length; file++) {
    const fd = openLogIfThere(files[file]!);
    if (fd === undefined) continue;
    const isLast = file === files.length - 1;
    try {
      if (file === start.file) lseek(fd, start.offset);
      for (let entries = nextEntries(reader, fd); entries !== undefined; entries = nextEntries(reader, fd))
        yield within(entries, query);
    } finally {
      if (!isLast || !query.follow) close(fd);
    }
    if (isLast && query.follow)
      for await (const entries of follow(engine, record, fd, reader)) yield within(entries, query);
  }
}
