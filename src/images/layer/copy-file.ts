/** Copying one file of a layer into another: contents with their holes, and all metadata. */
import {
  AT_FDCWD,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../../os/constants.ts";
import { copyContents } from "../../os/file-contents.ts";
import { ftruncate, mknodat, openat, readlinkat, symlinkat, withFd } from "../../os/files.ts";
import { fgetxattr, flistxattr, lgetxattr, llistxattr, type Stat } from "../../os/metadata.ts";
import { type FileMetadata, setMetadata, setMetadataAt } from "./file-metadata.ts";
import { isOverlayAttribute } from "./whiteout.ts";

function attributes(names: string[], get: (name: string) => Buffer | undefined): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const name of names) {
    const value = isOverlayAttribute(name) ? undefined : get(name);
    if (value !== undefined) xattrs.set(name, value);
  }
  return xattrs;
}

/** All attributes of an open file but overlayfs's own. */
export function attributesOf(fd: number): Map<string, Buffer> {
  return attributes(flistxattr(fd), (name) => fgetxattr(fd, name));
}

/** The same for a path that is not followed. */
export function attributesAt(path: Buffer): Map<string, Buffer> {
  return attributes(llistxattr(path), (name) => lgetxattr(path, name));
}

export function metadataOf(stat: Stat, xattrs: ReadonlyMap<string, Buffer>): FileMetadata {
  return { mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, mtime: stat.mtime, xattrs };
}

/** Reopens an O_PATH descriptor; the magic link leads to that very file and nowhere else. */
export function reopen(fd: number, flags: number): number {
  return openat(AT_FDCWD, `/proc/self/fd/${fd}`, flags);
}

/** Makes `name` in `dirfd` a copy of the file behind the O_PATH descriptor `source`; no directories. */
export function copyFile(source: number, stat: Stat, dirfd: number, name: Buffer): void {
  const type = stat.mode & S_IFMT;
  if (type === S_IFREG) {
    withFd(reopen(source, O_RDONLY), (from) => {
      const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
      withFd(openat(dirfd, name, flags, 0o600), (to) => {
        copyContents(from, to, stat.size);
        ftruncate(to, stat.size);
        setMetadata(to, metadataOf(stat, attributesOf(from)), true);
      });
    });
    return;
  }
  if (type === S_IFLNK) symlinkat(readlinkat(source, ""), dirfd, name);
  else if (type !== S_IFDIR && type !== S_IFSOCK) {
    mknodat(dirfd, name, stat.mode, stat.rdevMajor, stat.rdevMinor);
  }
  setMetadataAt(dirfd, name, metadataOf(stat, new Map()), type === S_IFLNK);
}
