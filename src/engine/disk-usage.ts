/** What a tree takes up. */
import { treeSize } from "../images/layer/diff.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../os/constants.ts";
import { openat, withFd } from "../os/files.ts";
import { isSystemError } from "../os/system-error.ts";

/** Bytes of the regular files below a directory; 0 for one that is not there. */
export function diskUsage(path: string): number {
  try {
    return withFd(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), treeSize);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return 0;
    throw error;
  }
}
