/** Removing a cgroup that nobody ended: with those that a container has made below it. */
import { AT_FDCWD, AT_REMOVEDIR, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../os/constants.ts";
import { openat, unlinkat, withFd } from "../os/files.ts";
import { statatIfExists } from "../os/metadata.ts";
import type { Path } from "../os/native.ts";
import { pause } from "../os/pause.ts";
import { isSystemError } from "../os/system-error.ts";
import { walkTree } from "../os/tree-walk.ts";
import { cgroupDirectories } from "./layout.ts";

/** Missing, mostly, as it should be. A busy one belongs to something that lives, and is met again. */
function tolerating(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

/** Times 1 ms: what was killed just now leaves its cgroup when the kernel has put it away. */
const WAITS = 500;

function removeDirectory(dirfd: number, name: Path): void {
  for (let waits = 0; ; waits++)
    try {
      unlinkat(dirfd, name, AT_REMOVEDIR);
      return;
    } catch (error) {
      if (waits === WAITS || !isSystemError(error, "EBUSY")) throw error;
      pause(1);
    }
}

/**
 * Removes the cgroups of this path in every hierarchy, and all below them.
 * @returns false when a process that was killed is still in one of them
 */
export function removeCgroups(path: string): boolean {
  const directories = cgroupDirectories(path);
  for (const directory of directories) removeCgroup(directory);
  return directories.every((directory) => statatIfExists(AT_FDCWD, directory) === undefined);
}

/** Removes the directory and all below it, as far as no process is in them any more, or will be in a moment. */
export function removeCgroup(directory: string): void {
  tolerating(() => {
    withFd(openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), (fd) => {
      for (const { leaving, dirfd, name } of walkTree(fd))
        if (leaving) tolerating(() => removeDirectory(dirfd, name));
    });
    removeDirectory(AT_FDCWD, directory);
  });
}
