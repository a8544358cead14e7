/**
 * Whole files and directories of the host by path: what node:fs has, on the addon that is loaded anyway.
 * node:fs alone takes longer to load than everything that a start does with files.
 *
 * Promises: as files.ts. Paths are the engine's own or the caller's, never a container's.
 */
import { AT_FDCWD, O_CREAT, O_DIRECTORY, O_EXCL, O_PATH, O_RDONLY, O_TRUNC, O_WRONLY } from "./constants.ts";
import { readDirectory } from "./directories.ts";
import {
  fsync,
  mkdirat,
  openat,
  readFileAt,
  readFileIfExists,
  readlinkat,
  renameat2,
  syncfs,
  unlinkat,
  withFd,
  writeAll,
} from "./files.ts";
import { fchmodat, isDirectory as hasDirectoryMode, statatIfExists } from "./metadata.ts";
import { removeTree as removeTreeAt } from "./remove-tree.ts";
import { isSystemError } from "./system-error.ts";

const FOLLOW = 0;

/** The result of `action`; undefined where a component of its path is missing. */
function unlessMissing<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** Whether something is there, links followed. What cannot be looked at counts as missing. */
export function exists(path: string): boolean {
  try {
    return statatIfExists(AT_FDCWD, path, FOLLOW) !== undefined;
  } catch {
    return false;
  }
}

/** Whether a directory is there, links followed. */
export function isDirectory(path: string): boolean {
  const stat = unlessMissing(() => statatIfExists(AT_FDCWD, path, FOLLOW));
  return stat !== undefined && hasDirectoryMode(stat);
}

export function readBytes(path: string): Buffer {
  return readFileAt(AT_FDCWD, path);
}

export function readText(path: string): string {
  return readBytes(path).toString("utf8");
}

/** The file's text; undefined where there is none. */
export function readTextIfExists(path: string): string | undefined {
  return readFileIfExists(AT_FDCWD, path)?.toString("utf8");
}

export interface WriteOptions {
  /** Subject to the umask; for a new file only. 0o600 if left out. */
  mode?: number;
  /** EEXIST where there is one already. */
  exclusive?: boolean;
  /** On the disk before this returns. */
  durable?: boolean;
}

/** Writes a file anew. */
export function writeFile(path: string, content: string | Uint8Array, options: WriteOptions = {}): void {
  const flags = O_WRONLY | O_CREAT | (options.exclusive === true ? O_EXCL : O_TRUNC);
  withFd(openat(AT_FDCWD, path, flags, options.mode ?? 0o600), (fd) => {
    if (content.length > 0)
      writeAll(fd, typeof content === "string" ? Buffer.from(content, "utf8") : content);
    if (options.durable === true) fsync(fd);
  });
}

/** A new directory; EEXIST where there is one already. */
export function makeDirectory(path: string, mode: number): void {
  mkdirat(AT_FDCWD, path, mode);
}

/** A directory and those above it, as far as they are missing. */
export function makeDirectories(path: string, mode: number): void {
  try {
    mkdirat(AT_FDCWD, path, mode);
  } catch (error) {
    if (isSystemError(error, "EEXIST") && isDirectory(path)) return;
    if (!isSystemError(error, "ENOENT")) throw error;
    makeDirectories(path.slice(0, path.replace(/\/+$/, "").lastIndexOf("/")), mode);
    makeDirectories(path, mode);
  }
}

/** What is in a directory, and not what is in those below it, is on the disk when this returns. */
export function syncDirectory(path: string): void {
  withFd(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY), fsync);
}

/** Everything on the filesystem that a directory is on is on the disk when this returns. */
export function syncFilesystem(path: string): void {
  withFd(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY), syncfs);
}

export function setMode(path: string, mode: number): void {
  fchmodat(AT_FDCWD, path, mode);
}

/** Removes a file if it is there. */
export function removeFile(path: string): void {
  unlessMissing(() => unlinkat(AT_FDCWD, path));
}

/** Removes a file, or a directory and all that is in it, if it is there. */
export function removeTree(path: string): void {
  unlessMissing(() => removeTreeAt(AT_FDCWD, path));
}

/** Names in a directory, without "." and "..", in the filesystem's order. */
export function listNames(path: string): string[] {
  return withFd(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY), (fd) =>
    readDirectory(fd).map(({ name }) => name.toString("utf8")),
  );
}

/** What a link says; undefined where there is none, or it may not be read. */
export function linkTarget(path: string): string | undefined {
  try {
    return readlinkat(AT_FDCWD, path).toString("utf8");
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** The path without links, "." and "..". */
export function realPath(path: string): string {
  return withFd(openat(AT_FDCWD, path, O_PATH), (fd) =>
    readlinkat(AT_FDCWD, `/proc/self/fd/${fd}`).toString("utf8"),
  );
}

export function rename(from: string, to: string): void {
  renameat2(AT_FDCWD, from, AT_FDCWD, to);
}
