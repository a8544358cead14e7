/** Places where something is mounted when a container runs: what is made of them is no change of the container's. */
import { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../../os/constants.ts";
import { readDirectory } from "../../os/directories.ts";
import { openat, withFd } from "../../os/files.ts";
import { isDirectory, isRegular, type Stat } from "../../os/metadata.ts";
import type { WalkStep } from "../../os/tree-walk.ts";

/** Whether an entry is one of these paths (without a leading slash), and still has nothing in it. */
export function isEmptyMountPoint(
  { dirfd, name, path }: WalkStep,
  stat: Stat,
  mountPoints: ReadonlySet<string> | undefined,
): boolean {
  if (mountPoints?.has(path.toString("latin1")) !== true) return false;
  if (isRegular(stat)) return stat.size === 0;
  if (!isDirectory(stat)) return false;
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  return withFd(openat(dirfd, name, flags), (fd) => readDirectory(fd).length === 0);
}
