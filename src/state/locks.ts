/** Locks between processes: flock on files that are never removed, released by the kernel on any death. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AT_FDCWD, LOCK_EX, LOCK_NB, O_CLOEXEC, O_CREAT, O_RDWR } from "../os/constants.ts";
import { close, flock, openat } from "../os/files.ts";

export interface Lock {
  /** A process that inherits it holds the lock, too, until both have closed it. */
  readonly fd: number;
  release(): void;
}

/**
 * Takes the lock of one object. Objects share 256 files, so nothing piles up; the first two digits of
 * an id choose the file.
 * @returns undefined when `wait` is false and somebody holds it
 */
export function lock(directory: string, id: string, wait = true): Lock | undefined {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const fd = openat(AT_FDCWD, join(directory, id.slice(0, 2)), O_RDWR | O_CREAT | O_CLOEXEC, 0o600);
  if (!flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB)) {
    close(fd);
    return undefined;
  }
  return { fd, release: () => close(fd) };
}
