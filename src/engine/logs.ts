/** `logs`: what a container wrote, from the json-file log that its monitor keeps. */
import { BockerError } from "../base/errors.ts";
import { AT_FDCWD, O_CLOEXEC, O_NOFOLLOW, O_RDONLY } from "../os/constants.ts";
import { close, lseek, openat, pread } from "../os/files.ts";
import { LineReader } from "../os/line-reader.ts";
import { fstat } from "../os/metadata.ts";
import { isSystemError } from "../os/system-error.ts";
import { DirectoryWatch } from "../os/watch.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths } from "../state/paths.ts";
import { hasMonitor, readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";
import { isToRestart } from "./restart-policy.ts";

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
/** To open a log's files without a rotation in between: a tenth of a millisecond each, and some logs rotate as fast. */
const ATTEMPTS = 200;

interface LogFile {
  fd: number;
  ino: number;
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
function tailStart(files: LogFile[], count: number): Start {
  let missing = count;
  for (let file = files.length - 1; file >= 0; file--) {
    const { offset, lines } = tailOffset(files[file]!.fd, missing);
    missing -= lines;
    if (missing <= 0) return { file, offset };
  }
  return { file: 0, offset: 0 };
}

/** Undefined for one that was rotated away, or went with its container. */
function openLog(path: string): LogFile | undefined {
  try {
    const fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return { fd, ino: fstat(fd).ino };
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** The files under `path` and its numbers, opened, the oldest first. */
function openNumbered(path: string): LogFile[] {
  const files: LogFile[] = [];
  // In the middle of a rotation one number is missing, for good when the monitor was killed there; two, where the next one
  // has come meanwhile.
  for (let number = 0, missing = 0; missing < 3; number++) {
    const file = openLog(number === 0 ? path : `${path}.${number}`);
    missing = file === undefined ? missing + 1 : 0;
    if (file === undefined) continue;
    // A rotation has moved it on to where this loop meets it again.
    if (files.some(({ ino }) => ino === file.ino)) close(file.fd);
    else files.unshift(file);
  }
  return files;
}

function closeAll(files: readonly LogFile[]): void {
  for (const { fd } of files) close(fd);
}

/** Whether files that were just opened are in order: those that were rotated more than once meanwhile may not be. */
function isInOrder(path: string, files: readonly LogFile[]): boolean {
  const current = openLog(path);
  if (current !== undefined) {
    close(current.fd);
    return current.ino === files.at(-1)?.ino;
  }
  // In the middle of a rotation, or where one was cut off for good: then it looks the same once more.
  const again = openNumbered(path);
  closeAll(again);
  return again.length === files.length && again.every(({ ino }, at) => ino === files[at]!.ino);
}

/** The log's files, opened, the oldest first; the last is the one that grows, if any does. */
function openLogFiles(path: string): LogFile[] {
  for (let attempt = 1; ; attempt++) {
    const files = openNumbered(path);
    if (attempt === ATTEMPTS || isInOrder(path, files)) return files;
    closeAll(files);
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
  opened: LogFile,
  reader: LineReader,
): AsyncGenerator<LogEntry[], void, void> {
  const files = containerPaths(engine.paths, record.id);
  const watch = new DirectoryWatch(files.directory);
  let file = opened;
  try {
    for (;;) {
      // Asked before the last read: what it wrote before it ended is read then.
      const running =
        readState(engine.paths, record.id).status === "running" ||
        hasMonitor(engine.paths, record.id) ||
        isToRestart(engine, record.id);
      for (
        let entries = nextEntries(reader, file.fd);
        entries !== undefined;
        entries = nextEntries(reader, file.fd)
      )
        yield entries;
      const current = openLog(files.log);
      if (current !== undefined && current.ino !== file.ino) {
        close(file.fd);
        file = current;
        continue;
      }
      if (current !== undefined) close(current.fd);
      if (!running) return;
      await watch.changed(RECHECK_MS);
    }
  } finally {
    watch.close();
    close(file.fd);
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
  const files = openLogFiles(containerPaths(engine.paths, record.id).log);
  try {
    const start = query.tail === undefined ? { file: 0, offset: 0 } : tailStart(files, query.tail);
    const reader = new LineReader();
    for (let number = start.file; number < files.length; number++) {
      const { fd } = files[number]!;
      if (number === start.file) lseek(fd, start.offset);
      for (let entries = nextEntries(reader, fd); entries !== undefined; entries = nextEntries(reader, fd))
        yield within(entries, query);
    }
    const last = query.follow ? files.pop() : undefined;
    if (last !== undefined)
      for await (const entries of follow(engine, record, last, reader)) yield within(entries, query);
  } finally {
    closeAll(files);
  }
}
