/**
 * Descriptors and their contents, and names in directories: the system calls of native.ts, throwing.
 *
 * Promises: every function either succeeds or throws a SystemError with the call's name and the path
 * it was given; calls that a signal interrupts are repeated. Descriptors are always close-on-exec.
 * Paths are strings (UTF-8) or raw bytes.
 */
import { O_CLOEXEC, O_RDONLY, SEEK_SET } from "./constants.ts";
import { native, type Path } from "./native.ts";
import { checked, retried } from "./syscalls.ts";
import { isSystemError } from "./system-error.ts";

const EINTR = 4;

/** A new descriptor. `mode` is subject to the process's umask. */
export function openat(dirfd: number, path: Path, flags: number, mode = 0): number {
  return retried(() => native().openat(dirfd, path, flags | O_CLOEXEC, mode), "openat", path);
}

/** A new descriptor, found under the RESOLVE_* rules. EAGAIN (a racing rename) is tried again, 32 times. */
export function openat2(dirfd: number, path: Path, flags: number, mode: number, resolve: number): number {
  const EAGAIN = 11;
  for (let attempt = 0; ; attempt++) {
    const result = native().openat2(dirfd, path, flags | O_CLOEXEC, mode, resolve);
    if ((result === -EAGAIN && attempt < 32) || result === -EINTR) continue;
    return checked(result, "openat2", path);
  }
}

/** Closes; the descriptor is gone whatever happens. Throws for EIO and the like, which a writer must see. */
export function close(fd: number): void {
  const result = native().close(fd);
  // Linux frees the number before it can be interrupted: a second try would close someone else's.
  if (result !== -EINTR) checked(result, "close");
}

/** The result of `use`, with `fd` closed afterwards in every case. */
export function withFd<T>(fd: number, use: (fd: number) => T): T {
  let result: T;
  try {
    result = use(fd);
  } catch (error) {
    native().close(fd);
    throw error;
  }
  close(fd);
  return result;
}

/** As `withFd` for an asynchronous `use`. */
export async function withFdAsync<T>(fd: number, use: (fd: number) => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await use(fd);
  } catch (error) {
    native().close(fd);
    throw error;
  }
  close(fd);
  return result;
}

/** Bytes read into `buffer` from `offset`; 0 at the end. */
export function read(fd: number, buffer: Uint8Array, offset = 0, length = buffer.length - offset): number {
  return retried(() => native().read(fd, buffer, offset, length), "read");
}

/** Bytes read from the file's `position` (bytes from its start). */
export function pread(fd: number, buffer: Uint8Array, position: number, length = buffer.length): number {
  return retried(() => native().pread(fd, buffer, 0, length, position), "pread");
}

/** Bytes written, perhaps fewer than asked. */
export function write(fd: number, buffer: Uint8Array, offset = 0, length = buffer.length - offset): number {
  return retried(() => native().write(fd, buffer, offset, length), "write");
}

/** Writes all of `bytes`. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) offset += write(fd, bytes, offset);
}

/** Writes all of `bytes` at the file's `position`. */
export function pwriteAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let offset = 0; offset < bytes.length; ) {
    const at = offset;
    offset += retried(() => native().pwrite(fd, bytes, at, bytes.length - at, position + at), "pwrite");
  }
}

/**
 * Everything from the current position to the end, at most `limit` bytes (throws EFBIG beyond).
 * @param expected how many bytes there will be, roughly
 */
export function readAll(fd: number, limit = 64 << 20, expected = 4096): Buffer {
  const EFBIG = 27;
  const parts: Buffer[] = [];
  let total = 0;
  for (let size = expected; ; size = Math.min(size * 4, 1 << 20)) {
    const part = Buffer.allocUnsafe(size);
    const count = read(fd, part);
    if (count === 0) return parts.length === 1 ? parts[0]! : Buffer.concat(parts, total);
    total += count;
    if (total > limit) checked(-EFBIG, "read");
    parts.push(part.subarray(0, count));
  }
}

/**
 * The contents of a file; undefined where there is none, as of a process or a cgroup that goes meanwhile. Asked of many,
 * an error for each would take longer.
 */
export function readFileIfExists(dirfd: number, path: Path): Buffer | undefined {
  const [ENOENT, ENOTDIR] = [2, 20];
  const fd = native().openat(dirfd, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd === -ENOENT || fd === -ENOTDIR) return undefined;
  if (fd < 0) return readFileAt(dirfd, path);
  try {
    return withFd(fd, readAll);
  } catch (error) {
    if (isSystemError(error, "ESRCH", "ENODEV")) return undefined;
    throw error;
  }
}

/** The contents of a file (following a final symlink unless `flags` says otherwise). */
export function readFileAt(dirfd: number, path: Path, limit?: number, flags = O_RDONLY): Buffer {
  return withFd(openat(dirfd, path, flags), (fd) => readAll(fd, limit));
}

/** The new position; `whence` SEEK_DATA and SEEK_HOLE throw ENXIO behind the last data. */
export function lseek(fd: number, position: number, whence: number = SEEK_SET): number {
  return retried(() => native().lseek(fd, position, whence), "lseek");
}

export function ftruncate(fd: number, length: number): void {
  retried(() => native().ftruncate(fd, length), "ftruncate");
}

/** Bytes copied between the current positions of both files; 0 at the end. */
export function copyFileRange(from: number, to: number, length: number): number {
  return retried(() => native().copyFileRange(from, to, length), "copy_file_range");
}

export function fsync(fd: number): void {
  retried(() => native().fsync(fd), "fsync");
}

export function syncfs(fd: number): void {
  retried(() => native().syncfs(fd), "syncfs");
}

/** The same while the thread goes on; `fd` stays open until it resolves. */
export async function syncfsAsync(fd: number): Promise<void> {
  checked(await native().syncfsAsync(fd), "syncfs");
}

/** True when the lock was taken; false when LOCK_NB was given and someone else holds it. */
export function flock(fd: number, operation: number): boolean {
  const EAGAIN = 11;
  for (;;) {
    const result = native().flock(fd, operation);
    if (result === -EAGAIN) return false;
    if (result !== -EINTR) return checked(result, "flock") === 0;
  }
}

/** The bytes a symlink points to. */
export function readlinkat(dirfd: number, path: Path): Buffer {
  const out = Buffer.allocUnsafe(4096);
  const length = retried(() => native().readlinkat(dirfd, path, out), "readlinkat", path);
  return Buffer.from(out.subarray(0, length));
}

export function mkdirat(dirfd: number, path: Path, mode: number): void {
  retried(() => native().mkdirat(dirfd, path, mode), "mkdirat", path);
}

/** `mode` includes S_IFMT; `major` and `minor` matter for devices only. */
export function mknodat(dirfd: number, path: Path, mode: number, major = 0, minor = 0): void {
  retried(() => native().mknodat(dirfd, path, mode, major, minor), "mknodat", path);
}

export function symlinkat(target: Path, dirfd: number, path: Path): void {
  retried(() => native().symlinkat(target, dirfd, path), "symlinkat", path);
}

export function linkat(oldDirfd: number, oldPath: Path, newDirfd: number, newPath: Path, flags = 0): void {
  retried(() => native().linkat(oldDirfd, oldPath, newDirfd, newPath, flags), "linkat", newPath);
}

/** AT_REMOVEDIR in `flags` for a directory. */
export function unlinkat(dirfd: number, path: Path, flags = 0): void {
  retried(() => native().unlinkat(dirfd, path, flags), "unlinkat", path);
}

export function renameat2(oldDirfd: number, oldPath: Path, newDirfd: number, newPath: Path, flags = 0): void {
  retried(() => native().renameat2(oldDirfd, oldPath, newDirfd, newPath, flags), "renameat2", newPath);
}

export function mount(source: Path, target: Path, type: string, flags: number, data = ""): void {
  retried(() => native().mount(source, target, type, flags, data), "mount", target);
}

export function umount2(target: Path, flags: number): void {
  retried(() => native().umount2(target, flags), "umount2", target);
}

/** An anonymous file; `flags` is MFD_*. */
export function memfdCreate(name: string, flags: number): number {
  return retried(() => native().memfdCreate(name, flags), "memfd_create");
}

export function fcntl(fd: number, command: number, argument = 0): number {
  return retried(() => native().fcntl(fd, command, argument), "fcntl");
}

export function ioctl(fd: number, request: number, argument = 0): number {
  return retried(() => native().ioctl(fd, request, argument), "ioctl");
}

/** ioctl with a struct that the kernel reads and writes. */
export function ioctlBuffer(fd: number, request: number, buffer: Uint8Array): number {
  return retried(() => native().ioctlBuffer(fd, request, buffer), "ioctl");
}

/** Both ends of a pipe, close-on-exec. */
export function pipe(flags = 0): { read: number; write: number } {
  const out = new Int32Array(2);
  retried(() => native().pipe2(flags | O_CLOEXEC, out), "pipe2");
  return { read: out[0]!, write: out[1]! };
}
