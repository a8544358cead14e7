/**
 * A tree copied whole: contents (shared where the filesystem can), holes, hard links, owners, modes, times, attributes.
 *
 * Promises: no symlink is followed, what is mounted in the tree is refused (EXDEV); one descriptor whatever the depth.
 * Nobody writes to the copy meanwhile. Who writes to the original gets what is there at some moment, or an error; no device is
 * opened that has come into a file's place. Sockets are left out: they mean nothing without their process.
 */
import { chmodNoFollow } from "../os/chmod.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../os/constants.ts";
import { copyContents, shareContents } from "../os/file-contents.ts";
import {
  close,
  ftruncate,
  linkat,
  mkdirat,
  mknodat,
  openat,
  readlinkat,
  symlinkat,
  withFd,
} from "../os/files.ts";
import {
  fchmod,
  fchown,
  fchownat,
  fgetxattr,
  flistxattr,
  fsetxattr,
  fstat,
  isRegular,
  lgetxattr,
  llistxattr,
  lsetxattr,
  pathBelow,
  type Stat,
  statat,
  statatIfExists,
  utimensat,
} from "../os/metadata.ts";
import { isSystemError, SystemError } from "../os/system-error.ts";
import { type WalkStep, walkTree } from "../os/tree-walk.ts";

const EXDEV = 18;
const DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/** chown takes set-uid bits and capabilities away, so it comes first; writing changes times, so those come last. */
function describe(from: number, to: number, { uid, gid, mode, mtime }: Stat): void {
  fchown(to, uid, gid);
  for (const name of flistxattr(from)) {
    const value = fgetxattr(from, name);
    if (value !== undefined) fsetxattr(to, name, value);
  }
  fchmod(to, mode & 0o7777);
  utimensat(to, "", mtime, mtime, AT_EMPTY_PATH);
}

/** The result of `action`; undefined where what it is about is gone. */
function unlessMissing<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

class TreeCopy {
  readonly #to: number;
  readonly #device: number;
  /** Where the copy of a file is that has several names. */
  readonly #links = new Map<string, Buffer>();
  #shares = true;

  constructor(from: number, to: number) {
    this.#to = to;
    this.#device = fstat(from).dev;
  }

  *run(from: number): Generator<void, void, void> {
    let fd = openat(this.#to, ".", O_RDONLY | O_DIRECTORY);
    try {
      for (const step of walkTree(from)) {
        yield;
        if (step.leaving) {
          const above = openat(fd, "..", O_RDONLY | O_DIRECTORY);
          const copy = fd;
          withFd(openat(step.dirfd, step.name, DIRECTORY), (source) => describe(source, copy, fstat(source)));
          close(fd);
          fd = above;
        } else if (step.isDirectory) {
          if (statat(step.dirfd, step.name).dev !== this.#device)
            throw new SystemError(EXDEV, "copy", step.path);
          mkdirat(fd, step.name, 0o700);
          const inner = openat(fd, step.name, DIRECTORY);
          close(fd);
          fd = inner;
        } else this.#copy(step, fd);
      }
    } finally {
      close(fd);
    }
    describe(from, this.#to, fstat(from));
  }

  #copy(step: WalkStep, to: number): void {
    const { dirfd, name } = step;
    const stat = statatIfExists(dirfd, name);
    const type = (stat?.mode ?? S_IFSOCK) & S_IFMT;
    if (stat === undefined || type === S_IFSOCK) return;
    const first = stat.nlink > 1 ? this.#links.get(stat.identity) : undefined;
    if (first !== undefined) {
      linkat(this.#to, first, to, name);
      return;
    }
    if (type === S_IFREG) {
      if (!this.#copyFile(dirfd, name, to)) return;
    } else {
      if (type === S_IFLNK) symlinkat(readlinkat(dirfd, name), to, name);
      else mknodat(to, name, type | 0o600, stat.rdevMajor, stat.rdevMinor);
      this.#describeAt(pathBelow(dirfd, name), to, name, stat);
    }
    if (stat.nlink > 1) this.#links.set(stat.identity, step.path);
  }

  /** What cannot be opened. */
  #describeAt(source: Buffer, to: number, name: Buffer, stat: Stat): void {
    fchownat(to, name, stat.uid, stat.gid);
    for (const attribute of llistxattr(source)) {
      const value = lgetxattr(source, attribute);
      if (value !== undefined) lsetxattr(pathBelow(to, name), attribute, value);
    }
    if ((stat.mode & S_IFMT) !== S_IFLNK) chmodNoFollow(to, name, stat.mode & 0o7777);
    utimensat(to, name, stat.mtime, stat.mtime);
  }

  /** False where it is none any more. */
  #copyFile(dirfd: number, name: Buffer, to: number): boolean {
    const found = unlessMissing(() => openat(dirfd, name, O_PATH | O_NOFOLLOW));
    if (found === undefined) return false;
    return withFd(found, () => {
      // Opened for reading only once it is known to be a file: to open a device may already do something.
      if (!isRegular(fstat(found))) return false;
      withFd(openat(AT_FDCWD, `/proc/self/fd/${found}`, O_RDONLY | O_NONBLOCK), (source) => {
        const stat = fstat(source);
        withFd(openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600), (copy) => {
          if (stat.size > 0) this.#fill(source, copy, stat.size);
          describe(source, copy, stat);
        });
      });
      return true;
    });
  }

  #fill(source: number, copy: number, size: number): void {
    // Asked once: what one file of a filesystem cannot, none can.
    if (this.#shares) this.#shares = shareContents(source, copy);
    if (this.#shares) return;
    copyContents(source, copy, size);
    ftruncate(copy, size);
  }
}

const open = (path: string) => openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);

/**
 * Copies all that is in the directory `from`, and what it is itself, to the empty directory `to`. It stops before each
 * entry: whoever goes on no further has to remove what there is.
 */
export function* copyingDirectory(from: string, to: string): Generator<void, void, void> {
  const source = open(from);
  try {
    const copy = open(to);
    try {
      yield* new TreeCopy(source, copy).run(source);
    } finally {
      close(copy);
    }
  } finally {
    close(source);
  }
}
