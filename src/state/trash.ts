/** What is removed is moved here by one rename, so that it is gone at once; the files follow. */

import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { readDirectory } from "../os/directories.ts";
import { openat, renameat2, withFd } from "../os/files.ts";
import { removeTree } from "../os/remove-tree.ts";
import { isSystemError } from "../os/system-error.ts";
import type { Paths } from "./paths.ts";
import { hasMonitor } from "./status.ts";

/** Where `discard` moves something of this name to. */
export function discardedPath(paths: Paths, name: string): string {
  return `${paths.trash}/${name}`;
}

/** Moves `path` out of sight; false when there is nothing. */
export function discard(paths: Paths, path: string, name: string): boolean {
  try {
    renameat2(AT_FDCWD, path, AT_FDCWD, discardedPath(paths, name));
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return false;
    throw error;
  }
}

function inTrash(paths: Paths, action: (trash: number) => void): void {
  let trash: number;
  try {
    trash = openat(AT_FDCWD, paths.trash, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return;
    throw error;
  }
  withFd(trash, () => action(trash));
}

/** False when another process is deleting the same tree: then that one ends it. */
function removeUnlessGone(trash: number, name: string | Uint8Array): boolean {
  try {
    removeTree(trash, name);
    return true;
  } catch (error) {
    if (!isSystemError(error, "ENOENT", "ENOTEMPTY")) throw error;
    return false;
  }
}

/** Deletes what `discard` moved away under this name. */
export function deleteDiscarded(paths: Paths, name: string): void {
  inTrash(paths, (trash) => removeUnlessGone(trash, name));
}

/** What has been moved out of sight and is nobody's work any more. */
export function trashNames(paths: Paths): string[] {
  const names: string[] = [];
  inTrash(paths, (trash) => {
    for (const { name } of readDirectory(trash)) names.push(name.toString("utf8"));
  });
  return names.filter((name) => !hasMonitor(paths, name));
}

/**
 * Deletes what has been moved out of sight, by whomever: nothing refers to it. How many trees. A container's whose
 * monitor is still there is left to that one.
 */
export function sweepTrash(paths: Paths): number {
  let swept = 0;
  inTrash(paths, (trash) => {
    for (const { name } of readDirectory(trash)) {
      if (!hasMonitor(paths, name.toString("utf8")) && removeUnlessGone(trash, name)) swept++;
    }
  });
  return swept;
}
