/**
 * Walking a directory tree by descriptors.
 *
 * Promises: never follows a symlink; holds one descriptor whatever the depth; does not recurse; entries
 * of a directory come in the order of their names' bytes. It goes back up through ".." and refuses to
 * continue where that is not the directory it came from (someone moved it meanwhile).
 */
import { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, RESOLVE_BENEATH, RESOLVE_NO_XDEV } from "./constants.ts";
import { type DirectoryEntry, DT_DIR, DT_UNKNOWN, readDirectory } from "./directories.ts";
import { close, openat, openat2 } from "./files.ts";
import { fstat, isDirectory, statat } from "./metadata.ts";
import { isSystemError, SystemError } from "./system-error.ts";

export interface WalkStep {
  /** The open directory that holds the entry: valid until the next step. */
  readonly dirfd: number;
  readonly name: Buffer;
  /** From the starting directory, without a leading slash. */
  readonly path: Buffer;
  readonly isDirectory: boolean;
  /** False when a directory is met, true when all below it has been walked. */
  readonly leaving: boolean;
  /** Set to false, when a directory is met, to pass it by: then there is no leaving step. */
  descend: boolean;
}

interface Level {
  name: Buffer;
  path: Buffer;
  identity: string;
  entries: DirectoryEntry[];
  next: number;
}

const SLASH = new Uint8Array([0x2f]);

function sortedEntries(fd: number): DirectoryEntry[] {
  return readDirectory(fd).sort((a, b) => Buffer.compare(a.name, b.name));
}

function join(parent: Buffer, name: Buffer): Buffer {
  return parent.length === 0 ? name : Buffer.concat([parent, SLASH, name]);
}

function ascend(fd: number, expected: string): number {
  const parent = openat(fd, "..", O_RDONLY | O_DIRECTORY);
  if (fstat(parent).identity === expected) return parent;
  close(parent);
  throw new SystemError(116, "openat", "..");
}

export interface WalkOptions {
  /** Pass by directories on other filesystems: they are met, but not entered. */
  oneFileSystem?: boolean;
}

/** Every entry below the directory `root` (which stays open and is itself no step). */
export function* walkTree(root: number, options: WalkOptions = {}): Generator<WalkStep, void, void> {
  const resolve = RESOLVE_BENEATH | (options.oneFileSystem === true ? RESOLVE_NO_XDEV : 0);
  let fd = openat(root, ".", O_RDONLY | O_DIRECTORY);
  try {
    const level = (name: Buffer, path: Buffer): Level => ({
      name,
      path,
      identity: fstat(fd).identity,
      entries: sortedEntries(fd),
      next: 0,
    });
    const levels: Level[] = [level(Buffer.alloc(0), Buffer.alloc(0))];
    while (levels.length > 0) {
      const current = levels.at(-1)!;
      const entry = current.entries[current.next++];
      if (entry === undefined) {
        levels.pop();
        const parent = levels.at(-1);
        if (parent === undefined) return;
        const above = ascend(fd, parent.identity);
        close(fd);
        fd = above;
        const { name, path } = current;
        yield { dirfd: fd, name, path, isDirectory: true, leaving: true, descend: false };
        continue;
      }
      const path = join(current.path, entry.name);
      const directory =
        entry.type === DT_DIR || (entry.type === DT_UNKNOWN && isDirectory(statat(fd, entry.name)));
      const step = {
        dirfd: fd,
        name: entry.name,
        path,
        isDirectory: directory,
        leaving: false,
        descend: true,
      };
      yield step;
      if (!directory || !step.descend) continue;
      let child: number;
      try {
        child = openat2(fd, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, resolve);
      } catch (error) {
        if (options.oneFileSystem === true && isSystemError(error, "EXDEV")) continue;
        throw error;
      }
      close(fd);
      fd = child;
      levels.push(level(entry.name, path));
    }
  } finally {
    close(fd);
  }
}
