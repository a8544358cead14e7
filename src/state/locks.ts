/** Locks between processes: flock on files that are never removed, released by the kernel on any death. */

import { AT_FDCWD, LOCK_EX, LOCK_NB, O_CLOEXEC, O_CREAT, O_RDWR } from "../os/constants.ts";
import { close, flock, openat } from "../os/files.ts";
import { makeDirectories } from "../os/host-files.ts";
import { isSystemError } from "../os/system-error.ts";

export interface Lock {
  /** A process that inherits it holds the lock, too, until both have closed it. */
  readonly fd: number;
  release(): void;
}

/** Takes the lock of one object, unless somebody holds it. */
export function tryLock(directory: string, id: string): Lock | undefined {
  return take(directory, id, LOCK_EX | LOCK_NB);
}

/**
 * Takes the lock of one object, and waits for it. Objects share 256 files, so nothing piles up; the first two
 * digits of an id choose the file.
 */
export function lock(directory: string, id: string): Lock {
  return take(directory, id, LOCK_EX) as Lock;
}

/** Takes the locks of all these objects, unless somebody holds one of them: who waits for one while holding another may wait for ever. */
export function tryLockAll(directory: string, ids: readonly string[]): Lock[] | undefined {
  const held: Lock[] = [];
  // One file may be the lock of several, and must not be taken twice.
  for (const file of new Set(ids.map(fileName))) {
    const next = tryLock(directory, file);
    if (next === undefined) {
      for (const other of held) other.release();
      return undefined;
    }
    held.push(next);
  }
  return held;
}

/** The lock's file: of an id the first two digits. */
function fileName(id: string): string {
  return id.slice(0, 2);
}

function take(directory: string, id: string, operation: number): Lock | undefined {
  const fd = openLockFile(directory, id);
  if (!flock(fd, operation)) {
    close(fd);
    return undefined;
  }
  return { fd, release: () => close(fd) };
}

function openLockFile(directory: string, id: string): number {
  const open = () => openat(AT_FDCWD, `${directory}/${fileName(id)}`, O_RDWR | O_CREAT | O_CLOEXEC, 0o600);
  try {
    return open();
  } catch (error) {
    // The first since the machine came up.
    if (!isSystemError(error, "ENOENT")) throw error;
    makeDirectories(directory, 0o700);
    return open();
  }
}
