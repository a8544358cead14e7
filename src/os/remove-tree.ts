/**
 * Removing what a descriptor and a name lead to.
 *
 * Promises: nothing outside that directory is touched, whatever symlinks are in it; a mounted filesystem
 * inside is an error (EXDEV), never emptied; subvolumes of btrfs go with the tree they are in; any depth works.
 */
import {
  AT_REMOVEDIR,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_XDEV,
} from "./constants.ts";
import { openat, openat2, unlinkat, withFd } from "./files.ts";
import { fstat, isDirectory, type Stat, statatIfExists } from "./metadata.ts";
import type { Path } from "./native.ts";
import { destroySubvolume, isSubvolume } from "./subvolume.ts";
import { isSystemError, SystemError } from "./system-error.ts";
import { walkTree } from "./tree-walk.ts";

const ENOENT = 2;
const EXDEV = 18;

/**
 * A directory on another device: true for a subvolume, which is removed at once, or, where others are in it, is to be emptied
 * as any directory. Throws EXDEV for what is mounted there.
 */
function removeSubvolume(dirfd: number, name: Path, stat: Stat): boolean {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV;
  const known = withFd(openat2(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, resolve), (fd) =>
    isSubvolume(fd, stat),
  );
  if (!known) throw new SystemError(EXDEV, "unlinkat", name);
  return destroySubvolume(dirfd, name);
}

/** Removes everything in the directory `fd`, which itself stays. */
export function emptyDirectory(fd: number): void {
  const devices = new Set([fstat(fd).dev]);
  for (const step of walkTree(fd)) {
    if (step.leaving) {
      unlinkat(step.dirfd, step.name, AT_REMOVEDIR);
    } else if (!step.isDirectory) {
      unlinkat(step.dirfd, step.name);
    } else {
      const found = statatIfExists(step.dirfd, step.name);
      // Another process removes the same tree.
      if (found === undefined) throw new SystemError(ENOENT, "unlinkat", step.path);
      if (devices.has(found.dev)) continue;
      if (removeSubvolume(step.dirfd, step.name, found)) step.descend = false;
      else devices.add(found.dev);
    }
  }
}

/** The root of a mounted btrfs is a subvolume, too, but none of the directory above it. */
function destroyAt(dirfd: number, name: Path): boolean {
  try {
    return destroySubvolume(dirfd, name);
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}

/** Removes a file or a whole directory. True when there was one. */
export function removeTree(dirfd: number, name: Path): boolean {
  const stat = statatIfExists(dirfd, name);
  if (stat === undefined) return false;
  if (!isDirectory(stat)) {
    unlinkat(dirfd, name);
    return true;
  }
  const gone = withFd(openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), (fd) => {
    if (isSubvolume(fd, stat) && destroyAt(dirfd, name)) return true;
    emptyDirectory(fd);
    return false;
  });
  if (gone) return true;
  unlinkat(dirfd, name, AT_REMOVEDIR);
  return true;
}
