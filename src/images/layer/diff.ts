/**
 * Directories as layers: the changes in an overlayfs upper directory, or a whole tree, as a tar archive.
 *
 * Promises: the archive comes in chunks that are made when they are asked for; entries are in the order
 * of their names' bytes, so the same tree gives the same bytes; no symlink is followed and nothing outside
 * the directory is read, also while someone changes it. A file that shrinks meanwhile is filled up with
 * zeros. Sockets are left out, overlayfs's own attributes too.
 */
import { BockerError } from "../../base/errors.ts";
import {
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../../os/constants.ts";
import { dataExtents } from "../../os/file-contents.ts";
import { close, openat, pread, readlinkat } from "../../os/files.ts";
import { isKernelFilesystem } from "../../os/kernel-filesystems.ts";
import {
  flistxattr,
  fstat,
  isDevice,
  isDirectory,
  isRegular,
  pathBelow,
  type Stat,
  statat,
} from "../../os/metadata.ts";
import { isSystemError } from "../../os/system-error.ts";
import { type WalkStep, walkTree } from "../../os/tree-walk.ts";
import { attributesAt, attributesOf } from "./copy-file.ts";
import { archivedExtents } from "./holes.ts";
import { quoted } from "./layer-path.ts";
import { walkLayers } from "./merged-walk.ts";
import { isEmptyMountPoint } from "./mount-points.ts";
import { type Extent, NAME_MAX, type TarEntry, type TarEntryType } from "./tar-entry.ts";
import { END_OF_ARCHIVE, storedDataSize, tarHeader, tarPadding } from "./tar-writer.ts";
import { type ChangeStep, type TreePair, treeChanges } from "./tree-changes.ts";
import { isOpaque, isWhiteoutDevice, isWhiteoutName, OPAQUE_NAME, WHITEOUT_PREFIX } from "./whiteout.ts";

export interface TreeOptions {
  /** Leave out what is mounted inside the tree. */
  oneFileSystem?: boolean;
  /** Refuse names that start with ".wh.", which a layer cannot hold. Always so for an upper directory. */
  refuseWhiteoutNames?: boolean;
  /** Paths where something is mounted when a container runs: left out as long as they are empty. */
  mountPoints?: ReadonlySet<string>;
  /** Leave out what is below procfs, sysfs and their like. */
  withoutKernelFiles?: boolean;
  /** Every time after this becomes this (seconds since 1970): SOURCE_DATE_EPOCH. */
  latestTime?: number;
}

const READ_SIZE = 1 << 18;
const SLASH = Buffer.from("/");
const NOTHING = Buffer.alloc(0);

const TYPES = new Map<number, TarEntryType>([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "character"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
]);

/** Overlayfs records that bytes or names of a file are elsewhere: then this directory is not the whole change. */
const INDIRECT_ATTRIBUTES = [
  "trusted.overlay.redirect",
  "trusted.overlay.metacopy",
  "user.overlay.redirect",
  "user.overlay.metacopy",
];

class TreeArchive {
  readonly #options: TreeOptions;
  readonly #isUpper: boolean;
  /** What is archived is a change, and not a tree. */
  readonly #isChange: boolean;
  readonly #isOverlay: boolean;
  /** The first name of every file that has several. */
  readonly #links = new Map<string, Buffer>();
  #rootName = Buffer.from("./");

  constructor(kind: "tree" | "upper" | "merged" | "changes", options: TreeOptions) {
    this.#isUpper = kind === "upper";
    this.#isChange = kind === "upper" || kind === "changes";
    this.#isOverlay = kind === "upper" || kind === "merged";
    this.#options = options;
  }

  /** One file, or a directory and all below it, under the name `as`. */
  *named(dirfd: number, name: Buffer, as: Buffer): Generator<Buffer, void, void> {
    const stat = statat(dirfd, name);
    if (!isDirectory(stat)) {
      yield* this.#step({ dirfd, name, path: as, isDirectory: false, leaving: false, descend: false });
      yield END_OF_ARCHIVE;
      return;
    }
    const root = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      this.#rootName = Buffer.concat([as, SLASH]);
      yield* this.chunks(root, renamed(walkTree(root), this.#rootName));
    } finally {
      close(root);
    }
  }

  *chunks(
    root: number,
    walk: Iterable<ChangeStep> = walkTree(root, { oneFileSystem: this.#options.oneFileSystem ?? false }),
  ): Generator<Buffer, void, void> {
    if (!this.#isChange)
      yield tarHeader(this.#entry("directory", this.#rootName, fstat(root), attributesOf(root)));
    yield* this.#opaqueMark(root, NOTHING);
    for (const step of walk) {
      if (step.leaving) continue;
      try {
        yield* this.#step(step);
      } catch (error) {
        // Removed between being listed and being read.
        if (!isSystemError(error, "ENOENT")) throw error;
        step.descend = false;
      }
    }
    yield END_OF_ARCHIVE;
  }

  *#step(step: ChangeStep): Generator<Buffer, void, void> {
    if (step.removed === true) {
      yield tarHeader(this.#marker(whiteoutPath(step)));
      return;
    }
    const stat = statat(step.dirfd, step.name);
    const type = TYPES.get(stat.mode & S_IFMT);
    if (type === undefined) return;
    if (step.path.length > NAME_MAX - 1) {
      throw new BockerError(
        "invalid",
        `the path ${quoted(step.path.subarray(0, 64))}… is too long for an archive`,
      );
    }
    if ((this.#isChange || this.#options.refuseWhiteoutNames === true) && isWhiteoutName(step.name)) {
      throw new BockerError(
        "invalid",
        `${quoted(step.path)}: an image cannot hold names that start with ".wh."`,
      );
    }
    if (isEmptyMountPoint(step, stat, this.#options.mountPoints)) return;
    if (this.#isUpper && isWhiteoutDevice(stat)) {
      yield tarHeader(this.#marker(whiteoutPath(step)));
      return;
    }
    if (type === "directory") {
      yield* this.#directory(step, stat);
      return;
    }
    const first = this.#links.get(stat.identity);
    if (first !== undefined) {
      const attributes = new Map<string, Buffer>();
      yield tarHeader({ ...this.#entry("hardlink", step.path, stat, attributes), linkName: first });
      return;
    }
    if (type === "file") yield* this.#file(step);
    else yield tarHeader(this.#unopenable(type, step, stat));
    if (stat.nlink > 1) this.#links.set(stat.identity, step.path);
  }

  *#directory(step: WalkStep, stat: Stat): Generator<Buffer, void, void> {
    const fd = openat(step.dirfd, step.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      this.#refuseIndirect(fd, step.path);
      yield tarHeader(this.#entry("directory", Buffer.concat([step.path, SLASH]), stat, attributesOf(fd)));
      yield* this.#opaqueMark(fd, Buffer.concat([step.path, SLASH]));
      if (this.#options.withoutKernelFiles === true && isKernelFilesystem(fd)) step.descend = false;
    } finally {
      close(fd);
    }
  }

  *#opaqueMark(fd: number, prefix: Buffer): Generator<Buffer, void, void> {
    if (!this.#isUpper) return;
    if (isOpaque(fd)) yield tarHeader(this.#marker(Buffer.concat([prefix, OPAQUE_NAME])));
  }

  *#file(step: WalkStep): Generator<Buffer, void, void> {
    // Not blocking: it may have become a pipe since it was listed.
    const fd = openat(step.dirfd, step.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stat = fstat(fd);
      if (!isRegular(stat)) return;
      this.#refuseIndirect(fd, step.path);
      const entry = this.#entry("file", step.path, stat, attributesOf(fd));
      const extents = stat.blocks * 512 < stat.size ? dataExtents(fd, stat.size) : wholeFile(stat.size);
      const archived = archivedExtents(extents, stat.size);
      if (archived !== undefined) entry.extents = archived;
      yield tarHeader(entry);
      yield* contents(fd, entry.extents ?? wholeFile(stat.size));
      yield tarPadding(storedDataSize(entry));
    } finally {
      close(fd);
    }
  }

  /** Symlinks, devices and pipes. */
  #unopenable(type: TarEntryType, step: WalkStep, stat: Stat): TarEntry {
    const entry = this.#entry(type, step.path, stat, attributesAt(pathBelow(step.dirfd, step.name)));
    if (type === "symlink") entry.linkName = readlinkat(step.dirfd, step.name);
    if (isDevice(stat)) {
      entry.major = stat.rdevMajor;
      entry.minor = stat.rdevMinor;
    }
    return entry;
  }

  #refuseIndirect(fd: number, path: Buffer): void {
    if (!this.#isOverlay) return;
    const found = flistxattr(fd).find((name) => INDIRECT_ATTRIBUTES.includes(name));
    if (found === undefined) return;
    throw new BockerError(
      "unsupported",
      `${quoted(path)} has the attribute ${found}: the overlay was mounted with redirect_dir or metacopy`,
    );
  }

  #entry(type: TarEntryType, name: Buffer, stat: Stat, xattrs: Map<string, Buffer>): TarEntry {
    const latest = this.#options.latestTime ?? Number.POSITIVE_INFINITY;
    return {
      type,
      name,
      linkName: NOTHING,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      size: type === "file" ? stat.size : 0,
      mtime: stat.mtime.sec > latest ? { sec: latest, nsec: 0 } : stat.mtime,
      major: 0,
      minor: 0,
      xattrs,
    };
  }

  /** A whiteout is an empty file; its own metadata mean nothing and are the same everywhere. */
  #marker(name: Buffer): TarEntry {
    return {
      type: "file",
      name,
      linkName: NOTHING,
      mode: 0,
      uid: 0,
      gid: 0,
      size: 0,
      mtime: { sec: 0, nsec: 0 },
      major: 0,
      minor: 0,
      xattrs: new Map(),
    };
  }
}

/** A walk whose paths begin with `prefix`. */
function* renamed(walk: Iterable<WalkStep>, prefix: Buffer): Generator<WalkStep, void, void> {
  for (const step of walk) {
    const named = { ...step, path: Buffer.concat([prefix, step.path]) };
    yield named;
    step.descend = named.descend;
  }
}

function wholeFile(size: number): Extent[] {
  return [{ offset: 0, length: size }];
}

function whiteoutPath(step: WalkStep): Buffer {
  const parent = step.path.subarray(0, step.path.length - step.name.length);
  return Buffer.concat([parent, WHITEOUT_PREFIX, step.name]);
}

/** The bytes of `extents`, all of them: zeros stand for what a shorter file no longer has. */
function* contents(fd: number, extents: readonly Extent[]): Generator<Buffer, void, void> {
  for (const { offset, length } of extents) {
    for (let done = 0; done < length; ) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, length - done));
      const count = pread(fd, buffer, offset + done);
      if (count === 0) buffer.fill(0);
      const chunk = count === 0 ? buffer : buffer.subarray(0, count);
      yield chunk;
      done += chunk.length;
    }
  }
}

/**
 * The layer that an overlayfs upper directory amounts to: whiteout devices become ".wh." entries,
 * opaque directories get ".wh..wh..opq". `upper` is a directory descriptor and stays the caller's.
 */
export function diffUpper(upper: number, options: TreeOptions = {}): Generator<Buffer, void, void> {
  return new TreeArchive("upper", options).chunks(upper);
}

/** The layer that the difference of two trees amounts to. */
export function diffTrees(pair: TreePair, options: TreeOptions = {}): Generator<Buffer, void, void> {
  return new TreeArchive("changes", options).chunks(pair.root, treeChanges(pair));
}

/** All of a directory as one layer, the directory itself as "./". Whiteouts have no meaning here. */
export function treeToTar(root: number, options: TreeOptions = {}): Generator<Buffer, void, void> {
  return new TreeArchive("tree", options).chunks(root);
}

/**
 * What `name` in a directory is, under the name `as` ("." for none of its own): one file, or a directory and all below it. A
 * symlink is itself. Nothing for a socket.
 */
export function fileToTar(
  dirfd: number,
  name: Buffer,
  as: Buffer,
  options: TreeOptions = {},
): Generator<Buffer, void, void> {
  return new TreeArchive("tree", options).named(dirfd, name, as);
}

/**
 * Layers as the one tree that a container sees; what is mounted in them is left out.
 * @param roots directory descriptors, the topmost first
 */
export function layersToTar(roots: readonly [number, ...number[]]): Generator<Buffer, void, void> {
  return new TreeArchive("merged", {}).chunks(roots[0], walkLayers(roots));
}

/** Bytes of all regular files below a directory, each file once: the size that `docker ps -s` shows. */
export function treeSize(root: number): number {
  let total = 0;
  const counted = new Set<string>();
  for (const step of walkTree(root)) {
    if (step.leaving || step.isDirectory) continue;
    const stat = statat(step.dirfd, step.name);
    if (!isRegular(stat) || counted.has(stat.identity)) continue;
    if (stat.nlink > 1) counted.add(stat.identity);
    total += stat.size;
  }
  return total;
}
