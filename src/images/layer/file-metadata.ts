/**
 * Owner, mode, times and attributes of one extracted file, in the only order that works: chown clears
 * setuid bits and security.capability, and writing changes times.
 */
import { chmodNoFollow } from "../../os/chmod.ts";
import { AT_EMPTY_PATH } from "../../os/constants.ts";
import {
  fchmod,
  fchown,
  fchownat,
  fsetxattr,
  lsetxattr,
  pathBelow,
  type Timestamp,
  utimensat,
} from "../../os/metadata.ts";
import { isSystemError } from "../../os/system-error.ts";
import { isOverlayAttribute } from "./whiteout.ts";

export interface FileMetadata {
  mode: number;
  uid: number;
  gid: number;
  mtime: Timestamp;
  xattrs: ReadonlyMap<string, Buffer>;
}

/**
 * Sets every attribute but overlayfs's own. As in Docker, one that the filesystem does not have or the
 * kernel does not allow here is left out; a lost file capability would be noticed too late, so that is
 * an error.
 */
function setAttributes(
  xattrs: ReadonlyMap<string, Buffer>,
  set: (name: string, value: Buffer) => void,
): void {
  for (const [name, value] of xattrs) {
    if (isOverlayAttribute(name)) continue;
    try {
      set(name, value);
    } catch (error) {
      const tolerated = isSystemError(error, "EOPNOTSUPP", "EPERM") && name !== "security.capability";
      if (!tolerated) throw error;
    }
  }
}

/** For an open file or directory. */
export function setMetadata(fd: number, metadata: FileMetadata, withTimes: boolean): void {
  fchown(fd, metadata.uid, metadata.gid);
  setAttributes(metadata.xattrs, (name, value) => fsetxattr(fd, name, value));
  fchmod(fd, metadata.mode);
  if (withTimes) utimensat(fd, "", metadata.mtime, metadata.mtime, AT_EMPTY_PATH);
}

/**
 * For what cannot be opened: symlinks, devices, pipes. `name` must have been created just now.
 */
export function setMetadataAt(dirfd: number, name: Buffer, metadata: FileMetadata, isSymlink: boolean): void {
  fchownat(dirfd, name, metadata.uid, metadata.gid);
  if (metadata.xattrs.size > 0) {
    const path = pathBelow(dirfd, name);
    setAttributes(metadata.xattrs, (attribute, value) => lsetxattr(path, attribute, value));
  }
  if (!isSymlink) chmodNoFollow(dirfd, name, metadata.mode);
  utimensat(dirfd, name, metadata.mtime, metadata.mtime);
}
