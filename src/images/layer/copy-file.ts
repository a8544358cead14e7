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
  SEEK_DATA,
  SEEK_HOLE,
} from "../../os/constants.ts";
import {
  copyFileRange,
  ftruncate,
  lseek,
  mknodat,
  openat,
  pread,
  pwriteAll,
  readlinkat,
  symlinkat,
  withFd,
} from "../../os/files.ts";
import { fgetxattr, flistxattr, lgetxattr, llistxattr, type Stat } from "../../os/metadata.ts";
import { isSystemError } from "../../os/system-error.ts";
import { type FileMetadata, setMetadata, setMetadataAt } from "./file-metadata.ts";
import type { Extent } from "./tar-entry.ts";
import { isOverlayAttribute } from "./whiteout.ts";

const COPY_SIZE = 1 << 20;

/** The data of an open file of `size` bytes; one extent for all of it where the filesystem knows no holes. */
export function dataExtents(fd: number, size: number): Extent[] {
  const extents: Extent[] = [];
  for (let at = 0; at < size; ) {
    try {
      const offset = lseek(fd, at, SEEK_DATA);
      const end = Math.min(lseek(fd, offset, SEEK_HOLE), size);
      if (end > offset) extents.push({ offset, length: end - offset });
      at = Math.max(end, offset + 1);
    } catch (error) {
      if (isSystemError(error, "ENXIO")) break;
      if (isSystemError(error, "EINVAL", "EOPNOTSUPP")) return [{ offset: 0, length: size }];
      throw error;
    }
  }
  return extents;
}

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

function copyContents(from: number, to: number, size: number): void {
  const buffer = Buffer.allocUnsafe(COPY_SIZE);
  for (const { offset, length } of dataExtents(from, size)) {
    lseek(from, offset);
    lseek(to, offset);
    let done = 0;
    try {
      while (done < length) {
        const count = copyFileRange(from, to, length - done);
        if (count === 0) return;
        done += count;
      }
    } catch (error) {
      if (!isSystemError(error, "EXDEV", "EINVAL", "EOPNOTSUPP", "ENOSYS")) throw error;
      while (done < length) {
        const count = pread(from, buffer, offset + done, Math.min(COPY_SIZE, length - done));
        if (count === 0) return;
        pwriteAll(to, buffer.subarray(0, count), offset + done);
        done += count;
      }
    }
  }
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
