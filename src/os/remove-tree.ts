/**
 * Removing what a descriptor and a name lead to.
 *
 * Promises: nothing outside that directory is touched, whatever symlinks are in it; a mounted filesystem
 * inside is an error (EXDEV), never emptied; any depth works.
 */
import { AT_REMOVEDIR, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "./constants.ts";
import { openat, unlinkat, withFd } from "./files.ts";
import { fstat, isDirectory, statatIfExists } from "./metadata.ts";
import type { Path } from "./native.ts";
import { SystemError } from "./system-error.ts";
import { walkTree } from "./tree-walk.ts";

const ENOENT = 2;
const EXDEV = 18;

/** Removes everything in the directory `fd`, which itself stays. */
export function emptyDirectory(fd: number): void {
  const { dev } = fstat(fd);
  for (const step of walkTree(fd)) {
    if (step.leaving) {
      unlinkat(step.dirfd, step.name, AT_REMOVEDIR);
    } else if (!step.isDirectory) {
      unlinkat(step.dirfd, step.name);
    } else {
      const found = statatIfExists(step.dirfd, step.name);
      // Another process removes the same tree.
      if (found === undefined) throw new SystemError(ENOENT, "unlinkat", step.path);
      if (found.dev !== dev) throw new SystemError(EXDEV, "unlinkat", step.path);
    }
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
  withFd(openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), emptyDirectory);
  unlinkat(dirfd, name, AT_REMOVEDIR);
  return true;
}
