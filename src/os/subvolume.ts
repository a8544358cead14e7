/**
 * Subvolumes of btrfs (linux/btrfs.h, linux/btrfs_tree.h), as far as whoever removes trees has to know of them: they look like
 * directories, but are filesystems of their own, and go at once.
 */
import { ioctlBuffer } from "./files.ts";
import { filesystemType, isDirectory, type Stat } from "./metadata.ts";
import type { Path } from "./native.ts";
import { isSystemError } from "./system-error.ts";

/** BTRFS_SUPER_MAGIC of linux/magic.h. */
export const BTRFS_MAGIC = 0x9123683e;
/** BTRFS_FIRST_FREE_OBJECTID: the inode number of every subvolume's root. */
const ROOT_INODE = 256;
/** _IOW(0x94, 15, struct btrfs_ioctl_vol_args) */
const BTRFS_IOC_SNAP_DESTROY = 0x5000940f;

/** struct btrfs_ioctl_vol_args: __s64 fd, then the name (BTRFS_PATH_NAME_MAX and a zero). */
const ARGS_SIZE = 4096;
const NAME_AT = 8;

/** The argument of the ioctls that take a name in a directory. */
export function volumeArguments(name: Path): Buffer {
  const args = Buffer.alloc(ARGS_SIZE);
  args.set(typeof name === "string" ? Buffer.from(name, "utf8") : name, NAME_AT);
  return args;
}

/** Whether an open directory, whose status is known, is the root of a subvolume. */
export function isSubvolume(fd: number, stat: Stat): boolean {
  return isDirectory(stat) && stat.ino === ROOT_INODE && filesystemType(fd) === BTRFS_MAGIC;
}

/** Removes a subvolume with all that is in it; false where there are others in it, which have to go first. */
export function destroySubvolume(dirfd: number, name: Path): boolean {
  try {
    ioctlBuffer(dirfd, BTRFS_IOC_SNAP_DESTROY, volumeArguments(name));
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOTEMPTY")) return false;
    throw error;
  }
}
