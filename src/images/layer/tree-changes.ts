/**
 * What has been changed in a tree since it was copied from another: the entries that an overlayfs upper directory would
 * have, in the form of steps of a walk.
 *
 * Promises: a directory is met before what has changed in it, itself changed or not; what is gone is met as removed when its
 * directory is; neither tree is written to, no symlink is followed, nothing that is mounted in them is entered. An entry is
 * changed if its status, its attributes, its link or its contents are; contents are compared only where the status says
 * that they may have been written.
 */
import {
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../os/constants.ts";
import { readDirectory } from "../../os/directories.ts";
import { close, openat, openat2, pread, readlinkat, withFd } from "../../os/files.ts";
import {
  isDirectory,
  isRegular,
  isSymlink,
  pathBelow,
  type Stat,
  statat,
  statatIfExists,
  type Timestamp,
} from "../../os/metadata.ts";
import { isSystemError } from "../../os/system-error.ts";
import { type WalkStep, walkTree } from "../../os/tree-walk.ts";
import { attributesAt } from "./copy-file.ts";

/** An entry that is new or changed, or one that is gone. */
export interface ChangeStep extends WalkStep {
  removed?: true;
}

export interface TreePair {
  /** Descriptors of directories: the tree, and what it was copied from. */
  root: number;
  base: number;
  /** A file that has not been changed since has an older ctime. */
  since: Timestamp;
}

const READ_SIZE = 1 << 18;
const HERE = Buffer.from(".");
const SLASH = Buffer.from("/");
const RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

/** The directory at a path, or undefined where there is none. */
function openBelow(root: number, path: Buffer): number | undefined {
  try {
    return openat2(root, path.length === 0 ? HERE : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE);
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

function parentOf(path: Buffer): Buffer {
  return path.subarray(0, Math.max(path.lastIndexOf(SLASH), 0));
}

const isBefore = (a: Timestamp, b: Timestamp) => a.sec < b.sec || (a.sec === b.sec && a.nsec < b.nsec);

function hasSameStatus(a: Stat, b: Stat): boolean {
  return (
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.rdevMajor === b.rdevMajor &&
    a.rdevMinor === b.rdevMinor &&
    a.mtime.sec === b.mtime.sec &&
    a.mtime.nsec === b.mtime.nsec &&
    (isDirectory(a) || a.size === b.size)
  );
}

function hasSameAttributes(a: Buffer, b: Buffer): boolean {
  const [mine, theirs] = [attributesAt(a), attributesAt(b)];
  return (
    mine.size === theirs.size && [...mine].every(([name, value]) => theirs.get(name)?.equals(value) === true)
  );
}

function hasSameContents(a: number, b: number, name: Buffer): boolean {
  const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  const [one, other] = [Buffer.allocUnsafe(READ_SIZE), Buffer.allocUnsafe(READ_SIZE)];
  return withFd(openat(a, name, flags), (mine) =>
    withFd(openat(b, name, flags), (theirs) => {
      for (let at = 0; ; ) {
        const count = pread(mine, one, at);
        if (pread(theirs, other, at) !== count) return false;
        if (count === 0) return true;
        if (!one.subarray(0, count).equals(other.subarray(0, count))) return false;
        at += count;
      }
    }),
  );
}

class Comparison {
  readonly #pair: TreePair;
  /** The directory of the base that the last entry was looked for in. */
  #path: Buffer | undefined;
  #fd: number | undefined;

  constructor(pair: TreePair) {
    this.#pair = pair;
  }

  /** The directory of the base in which this entry's counterpart would be. */
  #baseOf({ path }: WalkStep): number | undefined {
    const parent = parentOf(path);
    if (this.#path?.equals(parent) === true) return this.#fd;
    this.close();
    this.#fd = openBelow(this.#pair.base, parent);
    this.#path = Buffer.from(parent);
    return this.#fd;
  }

  isChanged(step: WalkStep): boolean {
    const base = this.#baseOf(step);
    const theirs = base === undefined ? undefined : statatIfExists(base, step.name);
    if (base === undefined || theirs === undefined) return true;
    const mine = statat(step.dirfd, step.name);
    if (!hasSameStatus(mine, theirs)) return true;
    if (isBefore(mine.ctime, this.#pair.since)) return false;
    if (!hasSameAttributes(pathBelow(step.dirfd, step.name), pathBelow(base, step.name))) return true;
    if (isSymlink(mine)) return !readlinkat(step.dirfd, step.name).equals(readlinkat(base, step.name));
    return isRegular(mine) && !hasSameContents(step.dirfd, base, step.name);
  }

  /** Names that a directory of the tree no longer has. Where the base had something else, there are none. */
  *removed(directory: number, path: Buffer): Generator<ChangeStep, void, void> {
    const base = openBelow(this.#pair.base, path);
    if (base === undefined) return;
    const before = withFd(base, readDirectory);
    const now = new Set(readDirectory(directory).map(({ name }) => name.toString("latin1")));
    const gone = before.map(({ name }) => name).filter((name) => !now.has(name.toString("latin1")));
    for (const name of gone.sort(Buffer.compare))
      yield {
        dirfd: directory,
        name,
        path: path.length === 0 ? name : Buffer.concat([path, SLASH, name]),
        isDirectory: false,
        leaving: false,
        descend: false,
        removed: true,
      };
  }

  close(): void {
    if (this.#fd !== undefined) close(this.#fd);
    this.#fd = undefined;
    this.#path = undefined;
  }
}

/** Everything that is new, changed or gone; there are no leaving steps. */
export function* treeChanges(pair: TreePair): Generator<ChangeStep, void, void> {
  const comparison = new Comparison(pair);
  /** Directories that we are in and that have not changed themselves: met as soon as something in them has. */
  const unchanged: Buffer[] = [];
  function* withParents(step: ChangeStep): Generator<ChangeStep, void, void> {
    for (const path of unchanged.splice(0)) {
      const dirfd = openBelow(pair.root, parentOf(path));
      if (dirfd === undefined) continue;
      try {
        const name = path.subarray(path.lastIndexOf(SLASH) + 1);
        yield { dirfd, name, path, isDirectory: true, leaving: false, descend: true };
      } finally {
        close(dirfd);
      }
    }
    yield step;
  }
  try {
    yield* comparison.removed(pair.root, Buffer.alloc(0));
    for (const step of walkTree(pair.root, { oneFileSystem: true })) {
      if (step.leaving) {
        if (unchanged.at(-1)?.equals(step.path) === true) unchanged.pop();
        continue;
      }
      if (comparison.isChanged(step)) yield* withParents(step);
      else if (step.isDirectory) unchanged.push(step.path);
      if (!step.isDirectory) continue;
      const inner = openBelow(step.dirfd, step.name);
      if (inner === undefined) continue;
      try {
        for (const gone of comparison.removed(inner, step.path)) yield* withParents(gone);
      } finally {
        close(inner);
      }
    }
  } finally {
    comparison.close();
  }
}

/** Bytes of the regular files that are new or changed, each once. */
export function changedSize(pair: TreePair): number {
  let total = 0;
  const counted = new Set<string>();
  for (const { dirfd, name, isDirectory: directory, removed } of treeChanges(pair)) {
    if (directory || removed === true) continue;
    const stat = statat(dirfd, name);
    if (!isRegular(stat) || counted.has(stat.identity)) continue;
    if (stat.nlink > 1) counted.add(stat.identity);
    total += stat.size;
  }
  return total;
}
