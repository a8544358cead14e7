/**
 * What a file carries besides its contents: status, owner, mode, times and extended attributes.
 *
 * Promises: as files.ts. Nothing here follows a symlink in the last component unless its
 * documentation says so.
 */
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "./constants.ts";
import { native, type Path, STAT_FIELDS } from "./native.ts";
import { checked, retried } from "./syscalls.ts";

/** Leave this time as it is (utimensat). */

/** A moment: whole seconds since 1970 (may be negative) and 0 to 999,999,999 nanoseconds after them. */
export interface Timestamp {
  sec: number;
  nsec: number;
}

/** struct stat. `mode` includes S_IFMT; `size` is in bytes, `blocks` in units of 512 bytes. */
export interface Stat {
  mode: number;
  uid: number;
  gid: number;
  size: number;
  nlink: number;
  dev: number;
  /** Rounded above 2^53 (overlayfs uses the top bits): compare files by `identity`. */
  ino: number;
  /** Equal for two names of one file, and only then (device and all 64 bits of the inode number). */
  identity: string;
  rdevMajor: number;
  rdevMinor: number;
  atime: Timestamp;
  mtime: Timestamp;
  ctime: Timestamp;
  blocks: number;
}

const out = new Float64Array(STAT_FIELDS.length + 2);

function statFrom(values: Float64Array): Stat {
  return {
    mode: values[0]!,
    uid: values[1]!,
    gid: values[2]!,
    size: values[3]!,
    nlink: values[4]!,
    ino: values[5]!,
    dev: values[6]!,
    rdevMajor: values[7]!,
    rdevMinor: values[8]!,
    atime: { sec: values[9]!, nsec: values[10]! },
    mtime: { sec: values[11]!, nsec: values[12]! },
    ctime: { sec: values[13]!, nsec: values[14]! },
    blocks: values[15]!,
    identity: identityOf(values[6]!, values[16]!, values[17]!),
  };
}

/** The identity of a file by its device and the two halves of its inode number. */
export function identityOf(dev: number, inoHigh: number, inoLow: number): string {
  return `${dev}:${inoHigh}:${inoLow}`;
}

/** The status of what `path` names, without following a final symlink. */
export function statat(dirfd: number, path: Path, flags: number = AT_SYMLINK_NOFOLLOW): Stat {
  retried(() => native().fstatat(dirfd, path, flags, out), "fstatat", path);
  return statFrom(out);
}

/** As `statat`, undefined where nothing has that name. */
export function statatIfExists(
  dirfd: number,
  path: Path,
  flags: number = AT_SYMLINK_NOFOLLOW,
): Stat | undefined {
  const ENOENT = 2;
  const result = native().fstatat(dirfd, path, flags, out);
  if (result === -ENOENT) return undefined;
  if (result < 0) return statat(dirfd, path, flags);
  return statFrom(out);
}

/** The status of an open descriptor (O_PATH too). */
export function fstat(fd: number): Stat {
  return statat(fd, "", AT_EMPTY_PATH);
}

/** As fstat, only what it says of the file's bytes and names: quicker. */
export function extent(fd: number): { size: number; nlink: number } {
  retried(() => native().fstatat(fd, "", AT_EMPTY_PATH, out), "fstatat");
  return { size: out[3]!, nlink: out[4]! };
}

export function isDirectory(stat: { mode: number }): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

export function isRegular(stat: { mode: number }): boolean {
  return (stat.mode & S_IFMT) === S_IFREG;
}

export function isSymlink(stat: { mode: number }): boolean {
  return (stat.mode & S_IFMT) === S_IFLNK;
}

export function isDevice(stat: { mode: number }): boolean {
  const type = stat.mode & S_IFMT;
  return type === S_IFCHR || type === S_IFBLK;
}

/** Of a character or block device. */
export function deviceType(stat: { mode: number }): "c" | "b" {
  return (stat.mode & S_IFMT) === S_IFBLK ? "b" : "c";
}

/** f_type of the filesystem, as in <linux/magic.h>. */
export function filesystemType(fd: number): number {
  return retried(() => native().fstatfsType(fd), "fstatfs");
}

export function fchownat(
  dirfd: number,
  path: Path,
  uid: number,
  gid: number,
  flags: number = AT_SYMLINK_NOFOLLOW,
): void {
  retried(() => native().fchownat(dirfd, path, uid, gid, flags), "fchownat", path);
}

export function fchown(fd: number, uid: number, gid: number): void {
  fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
}

/** Follows a final symlink (Linux has no other way before 6.6): only for names known to be none. */
export function fchmodat(dirfd: number, path: Path, mode: number): void {
  retried(() => native().fchmodat(dirfd, path, mode), "fchmodat", path);
}

export function fchmod(fd: number, mode: number): void {
  retried(() => native().fchmod(fd, mode), "fchmod");
}

/** Sets both times. */
export function utimensat(
  dirfd: number,
  path: Path,
  atime: Timestamp,
  mtime: Timestamp,
  flags: number = AT_SYMLINK_NOFOLLOW,
): void {
  retried(
    () => native().utimensat(dirfd, path, atime.sec, atime.nsec, mtime.sec, mtime.nsec, flags),
    "utimensat",
    path,
  );
}

/** "/proc/self/fd/N/name": how the l*xattr calls stay below a descriptor. */
export function pathBelow(dirfd: number, name: Path): Buffer {
  const bytes = typeof name === "string" ? Buffer.from(name) : name;
  return Buffer.concat([Buffer.from(`/proc/self/fd/${dirfd}/`), bytes]);
}

export function lsetxattr(path: Path, name: string, value: Uint8Array, flags = 0): void {
  retried(() => native().lsetxattr(path, name, value, flags), `setxattr ${name}`, path);
}

export function lremovexattr(path: Path, name: string): void {
  retried(() => native().lremovexattr(path, name), `removexattr ${name}`, path);
}

export function fsetxattr(fd: number, name: string, value: Uint8Array, flags = 0): void {
  retried(() => native().fsetxattr(fd, name, value, flags), `setxattr ${name}`);
}

const ENODATA = 61;
const ENOTSUP = 95;
/** XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel. */
const XATTR_MAX = 65536;
let room: Buffer | undefined;

/** Shared by all calls: what it holds is copied at once. */
function scratch(): Buffer {
  room ??= Buffer.allocUnsafeSlow(XATTR_MAX);
  return room;
}

function attribute(result: number, syscall: string, path?: Path): Buffer | undefined {
  if (result === -ENODATA || result === -ENOTSUP) return undefined;
  return Buffer.from(scratch().subarray(0, checked(result, syscall, path)));
}

/** The attribute's bytes; undefined where it is not set or the filesystem has none. */
export function lgetxattr(path: Path, name: string): Buffer | undefined {
  return attribute(native().lgetxattr(path, name, scratch()), `getxattr ${name}`, path);
}

export function fgetxattr(fd: number, name: string): Buffer | undefined {
  return attribute(native().fgetxattr(fd, name, scratch()), `getxattr ${name}`);
}

function attributeNames(result: number, syscall: string, path?: Path): string[] {
  if (result === 0 || result === -ENOTSUP) return [];
  return scratch()
    .toString("utf8", 0, checked(result, syscall, path) - 1)
    .split("\0");
}

/** Attribute names, in the filesystem's order; none where the filesystem has no attributes. */
export function llistxattr(path: Path): string[] {
  return attributeNames(native().llistxattr(path, scratch()), "listxattr", path);
}

export function flistxattr(fd: number): string[] {
  return attributeNames(native().flistxattr(fd, scratch()), "listxattr");
}
