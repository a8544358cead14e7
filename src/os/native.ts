/**
 * The shape of the N-API addon `native/` and its loader.
 *
 * Every function is one system call (or one fixed small group where the kernel's own
 * interface needs several, such as spawn). Each returns a value >= 0, or -errno; nothing throws
 * but a wrong argument type. `src/os/syscalls.ts` turns -errno into a `SystemError`.
 *
 * Paths are a string (UTF-8) or a Buffer (raw bytes, no NUL): names in images need not be UTF-8.
 */

export type Path = string | Uint8Array;

/** What `fstatat` writes, in this order, into a Float64Array of STAT_FIELDS numbers. */
export const STAT_FIELDS = [
  "mode",
  "uid",
  "gid",
  "size",
  "nlink",
  "ino",
  "dev",
  "rdevMajor",
  "rdevMinor",
  "atimeSec",
  "atimeNsec",
  "mtimeSec",
  "mtimeNsec",
  "ctimeSec",
  "ctimeNsec",
  "blocks",
] as const;

export interface Native {
  openat(dirfd: number, path: Path, flags: number, mode: number): number;
  openat2(dirfd: number, path: Path, flags: number, mode: number, resolve: number): number;
  close(fd: number): number;
  /** `length` bytes at most into `buffer` from `offset`. */
  read(fd: number, buffer: Uint8Array, offset: number, length: number): number;
  write(fd: number, buffer: Uint8Array, offset: number, length: number): number;
  pread(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  pwrite(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  lseek(fd: number, position: number, whence: number): number;
  ftruncate(fd: number, length: number): number;
  copyFileRange(from: number, to: number, length: number): number;
  fsync(fd: number): number;
  syncfs(fd: number): number;
  /** The same in a worker thread (napi_async_work); resolves with the return value. */
  syncfsAsync(fd: number): Promise<number>;
  flock(fd: number, operation: number): number;
  fstatat(dirfd: number, path: Path, flags: number, out: Float64Array): number;
  /** statfs f_type of the filesystem that fd is on. */
  fstatfsType(fd: number): number;
  readlinkat(dirfd: number, path: Path, out: Uint8Array): number;
  /** getdents64 into `out`; 0 at the end. The caller parses linux_dirent64. */
  getdents(fd: number, out: Uint8Array): number;
  mkdirat(dirfd: number, path: Path, mode: number): number;
  /** `mode` includes S_IFMT. */
  mknodat(dirfd: number, path: Path, mode: number, major: number, minor: number): number;
  symlinkat(target: Path, dirfd: number, path: Path): number;
  linkat(oldDirfd: number, oldPath: Path, newDirfd: number, newPath: Path, flags: number): number;
  unlinkat(dirfd: number, path: Path, flags: number): number;
  renameat2(oldDirfd: number, oldPath: Path, newDirfd: number, newPath: Path, flags: number): number;
  fchownat(dirfd: number, path: Path, uid: number, gid: number, flags: number): number;
  fchmodat(dirfd: number, path: Path, mode: number): number;
  fchmod(fd: number, mode: number): number;
  utimensat(
    dirfd: number,
    path: Path,
    atimeSec: number,
    atimeNsec: number,
    mtimeSec: number,
    mtimeNsec: number,
    flags: number,
  ): number;
  /** A thread of new-files.c. Its number. */
  filesThread(): number;
  /** It makes the records of this piece of `buffer` below `root`, when it is done with what it had. The buffer stays its own until then. */
  filesBegin(thread: number, root: number, buffer: Uint8Array, offset: number, length: number): number;
  /** Waits until it is done. Where in the piece the first record is that was not made; its length if all were. */
  filesWait(thread: number): number;
  /** Ends it, when it is done. */
  filesStop(thread: number): number;
  /** The same as begin and wait, without a thread. */
  filesMake(root: number, buffer: Uint8Array, offset: number, length: number): number;
  /** The l*xattr calls take a path; pass "/proc/self/fd/N/name" to stay below a descriptor. */
  lsetxattr(path: Path, name: string, value: Uint8Array, flags: number): number;
  lremovexattr(path: Path, name: string): number;
  lgetxattr(path: Path, name: string, out: Uint8Array): number;
  llistxattr(path: Path, out: Uint8Array): number;
  fsetxattr(fd: number, name: string, value: Uint8Array, flags: number): number;
  fgetxattr(fd: number, name: string, out: Uint8Array): number;
  flistxattr(fd: number, out: Uint8Array): number;
  mount(source: Path, target: Path, type: string, flags: number, data: string): number;
  umount2(target: Path, flags: number): number;
  memfdCreate(name: string, flags: number): number;
  /** inotify_init1; `flags` is O_CLOEXEC and O_NONBLOCK. */
  inotifyInit(flags: number): number;
  /** The watch's number. */
  inotifyAddWatch(fd: number, path: Path, mask: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  /** ioctl whose argument is a number (or 0) … */
  ioctl(fd: number, request: number, argument: number): number;
  /** … or a buffer that the kernel reads and writes. */
  ioctlBuffer(fd: number, request: number, buffer: Uint8Array): number;
  pipe2(flags: number, out: Int32Array): number;
  socket(domain: number, type: number, protocol: number): number;
  socketpair(domain: number, type: number, protocol: number, out: Int32Array): number;
  /** Raw sockaddr bytes, family first. */
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, flags: number): number;
  getsockname(fd: number, out: Uint8Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  getsockopt(fd: number, level: number, name: number, out: Uint8Array): number;
  /** sendmsg with SCM_RIGHTS for `fds` (may be empty). */
  sendFds(fd: number, data: Uint8Array, fds: number[], flags: number): number;
  /** recvmsg; received descriptors (CLOEXEC) are written to `fdsOut`, their count to fdsOut[0]. */
  recvFds(fd: number, data: Uint8Array, fdsOut: Int32Array, flags: number): number;
  shutdown(fd: number, how: number): number;
  /** _exit(2): at once, without the runtime's own clearing up. */
  exit(status: number): number;
  kill(pid: number, signal: number): number;
  pidfdOpen(pid: number, flags: number): number;
  pidfdSendSignal(pidfd: number, signal: number): number;
  prctl(option: number, a: number, b: number, c: number, d: number): number;
  umask(mode: number): number;
  getrlimit(resource: number, out: Float64Array): number;
  setrlimit(resource: number, soft: number, hard: number): number;
  /** ppoll on fds; `events[i]` in, revents written back to `events`. -1 waits for ever. Blocks the thread. */
  poll(fds: Int32Array, events: Int32Array, timeoutMs: number): number;
  /** The same in a worker thread (napi_async_work); resolves with the return value. */
  pollAsync(fds: Int32Array, events: Int32Array, timeoutMs: number): Promise<number>;
  /**
   * vfork + (in the child: default signal dispositions, empty signal mask, setsid if asked, dup2
   * of fds[i] to i, close_range of all above, umask 022) + execveat(exeFd, "", argv, envp).
   * Returns the child's pid. A failed exec is returned as -errno (seen through the shared memory of vfork).
   * With a descriptor of a cgroup v2 directory (else -1), clone3 into it in vfork's place.
   */
  spawn(
    exeFd: number,
    argv: string[],
    envp: string[],
    fds: Int32Array,
    newSession: boolean,
    cgroup: number,
  ): number;
  /** waitpid; the raw status goes to statusOut[0]. 0 with WNOHANG when nothing ended. */
  waitpid(pid: number, flags: number, statusOut: Int32Array): number;
  /** sysconf(_SC_CLK_TCK) etc. are constants on Linux; clock_gettime in nanoseconds as [sec, nsec]. */
  clockGettime(clock: number, out: Float64Array): number;
  setns(fd: number, type: number): number;
  unshare(flags: number): number;
}

/** Where the compiled parts may lie: where BOCKER_LIB points, beside the binary, or in a checkout's dist/. */
function candidates(): string[] {
  const beside = process.execPath.slice(0, process.execPath.lastIndexOf("/"));
  const given = process.env["BOCKER_LIB"];
  return [...(given === undefined ? [] : [given]), beside, `${import.meta.dirname}/../../dist`];
}

let loaded: { functions: Native; directory: string } | undefined;

function load(): { functions: Native; directory: string } {
  const failures: string[] = [];
  for (const directory of candidates()) {
    const module = { exports: {} };
    try {
      // Unlike require() it reads no directories, and no other module has to be loaded for it.
      process.dlopen(module, `${directory}/syscalls.node`);
      loaded = { functions: module.exports as Native, directory };
      return loaded;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(
    `the compiled parts of bocker (syscalls.node, bocker-launcher) were not found: run ./bocker or npm run build\n${failures.join("\n")}`,
  );
}

/** The addon, loaded at the first call. */
export function native(): Native {
  return (loaded ?? load()).functions;
}

/** Where the compiled parts lie: the addon and the launcher. */
export function libraryDirectory(): string {
  return (loaded ?? load()).directory;
}
