/**
 * Applying a layer: the entries of a tar archive become files below a directory.
 *
 * Promises: nothing outside that directory is read, written or linked to, whatever the archive says: all
 * work is relative to descriptors found by RESOLVE_IN_ROOT, no final symlink is followed, and names that
 * climb out are refused. Every failure is a BockerError that names the entry; what has been written by
 * then is the caller's to remove. Nothing is synced to disk. Entries are made in their order, but later than they are
 * given: the failure of one may be thrown by a later one, or by `finish`.
 *
 * Who else may write to the directory meanwhile, as a container may in mode "copy", can make it fail, or miss files that
 * are exchanged under its hands; nothing outside is touched all the same.
 */
import { BockerError } from "../../base/errors.ts";
import {
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
} from "../../os/constants.ts";
import {
  close,
  ftruncate,
  mkdirat,
  mknodat,
  openat,
  pwriteAll,
  symlinkat,
  withFd,
  writeAll,
} from "../../os/files.ts";
import { fstat, isDirectory, isSymlink, type Stat, statatIfExists, utimensat } from "../../os/metadata.ts";
import { NewFiles } from "../../os/new-files.ts";
import { removeTree } from "../../os/remove-tree.ts";
import { isSystemError, SystemError } from "../../os/system-error.ts";
import { attributesOf, metadataOf } from "./copy-file.ts";
import { setMetadata, setMetadataAt } from "./file-metadata.ts";
import { HardLinks } from "./hard-links.ts";
import { mayHaveHoles, writeAroundZeros } from "./holes.ts";
import { type LayerPath, layerPath, pathBytes, quoted } from "./layer-path.ts";
import { LayerRoot, openInRoot } from "./layer-root.ts";
import { LowerLayers } from "./lower-layers.ts";
import { makeWay, refuseOtherKind } from "./make-way.ts";
import type { TarEntry } from "./tar-entry.ts";
import type { TarSink } from "./tar-reader.ts";
import { isMetadataName, isWhiteoutName } from "./whiteout.ts";
import { Whiteouts } from "./whiteouts.ts";

export interface ApplyOptions {
  /**
   * "layer": whiteouts become overlayfs's (character device 0:0, trusted.overlay.opaque). "rootfs":
   * they remove what earlier layers left in the directory. "copy": they are names as any other, and a directory takes
   * the place of nothing else, nor the other way round (moby, NoOverwriteDirNonDir).
   */
  mode: "layer" | "rootfs" | "copy";
  /**
   * In mode "layer": the directories of the layers below, topmost first. A hard link to a file that
   * only they have brings a copy of it into this layer, as overlayfs's copy-up would; a directory that
   * only the entries' names imply takes over the owner and mode it has there. A function is called at
   * the first need, which most layers never have.
   */
  lowers?: readonly number[] | (() => readonly number[]);
  /** In mode "copy": what the directory is called in messages. */
  at?: string;
  /** Which attribute makes a directory opaque: "trusted" for overlays of root, "user" for userxattr mounts. */
  opaqueAttribute?: "trusted.overlay.opaque" | "user.overlay.opaque";
}

interface OpenFile {
  fd: number;
  entry: TarEntry;
  /** Where the next sequential write would go. */
  position: number;
  /** It was there before, and keeps its owner and mode. */
  isOthers?: true;
}

/** The BockerError for whatever went wrong with an entry. */
function entryError(entry: TarEntry, error: unknown): BockerError {
  const what = `archive entry ${quoted(entry.name)}`;
  if (error instanceof BockerError) return error;
  if (!(error instanceof SystemError)) return new BockerError("internal", what, { cause: error });
  const message = `${what}: ${error.message}`;
  if (isSystemError(error, "ENOSPC", "EDQUOT")) return new BockerError("no-space", message, { cause: error });
  if (isSystemError(error, "EPERM", "EACCES", "EROFS"))
    return new BockerError("denied", message, { cause: error });
  const impossible = ["ELOOP", "ENAMETOOLONG", "ENOTDIR", "ENOENT", "EEXIST", "EINVAL", "EMLINK", "EISDIR"];
  const code = isSystemError(error, ...impossible) ? "corrupt" : "internal";
  return new BockerError(code, message, { cause: error });
}

interface DirectoryTime {
  path: LayerPath;
  mtime: TarEntry["mtime"];
  /** Of the directory that it is the time of. */
  identity: string;
}

/** An entry whose turn is still to come. */
interface Waiting {
  path: LayerPath;
  entry: TarEntry;
}

/** Whether the calls that most entries need are all that this one needs. */
function isPlain({ type, xattrs, extents, size }: TarEntry): boolean {
  if (xattrs.size > 0) return false;
  if (type === "file") return extents === undefined && NewFiles.takes(size) && !mayHaveHoles(size);
  return type === "directory" || type === "symlink";
}

export class LayerApplier implements TarSink {
  readonly #root: number;
  readonly #mode: ApplyOptions["mode"];
  readonly #at: string;
  /** Plain entries, which are made a little later: everything else waits until they are. */
  readonly #files: NewFiles<Waiting>;
  readonly #directories: LayerRoot;
  readonly #whiteouts: Whiteouts;
  readonly #links: HardLinks;
  readonly #lowers: LowerLayers;
  /** Times of directories, set last: every file that is made in one changes them. */
  readonly #directoryTimes = new Map<string, DirectoryTime>();
  #open: OpenFile | undefined;
  /** The bytes that come belong to the plain entry that came last. */
  #isPlain = false;

  /** `root` is the directory's descriptor (O_RDONLY) and stays the caller's. */
  constructor(root: number, options: ApplyOptions) {
    this.#root = root;
    this.#mode = options.mode;
    this.#at = options.at ?? "";
    this.#files = new NewFiles(root, {
      made: ({ path, entry }, identity) => this.#keepTime(path, entry.mtime, identity),
      refused: (waiting, data) => this.#makeRefused(waiting, data),
    });
    this.#lowers = new LowerLayers(options.lowers ?? []);
    this.#directories = new LayerRoot(root, (fd, path) => this.#inherit(fd, path));
    this.#whiteouts = new Whiteouts(this.#directories, options);
    this.#links = new HardLinks(this.#directories, this.#lowers);
  }

  entry(entry: TarEntry): void {
    try {
      this.#apply(entry);
    } catch (error) {
      throw entryError(entry, error);
    }
  }

  data(bytes: Buffer, position: number): void {
    if (this.#isPlain) this.#files.data(bytes);
    else this.#write(bytes, position);
  }

  end(): void {
    if (this.#isPlain) this.#isPlain = false;
    else this.#endFile();
  }

  #write(bytes: Buffer, position: number): void {
    const file = this.#open;
    if (file === undefined) return;
    try {
      if (mayHaveHoles(file.entry.size)) writeAroundZeros(file.fd, bytes, position);
      else if (position === file.position) writeAll(file.fd, bytes);
      else pwriteAll(file.fd, bytes, position);
      // A write behind a hole did not move the descriptor: from there on, positions are explicit.
      file.position = position === file.position ? position + bytes.length : -1;
    } catch (error) {
      throw entryError(file.entry, error);
    }
  }

  #endFile(): void {
    const file = this.#open;
    if (file === undefined) return;
    this.#open = undefined;
    try {
      withFd(file.fd, (fd) => {
        const { extents, size } = file.entry;
        if (extents !== undefined || mayHaveHoles(size)) ftruncate(fd, file.entry.size);
        if (file.isOthers !== true) setMetadata(fd, file.entry, true);
      });
    } catch (error) {
      throw entryError(file.entry, error);
    }
  }

  /** After the archive's end: makes what is still waiting, and sets the times of all directories. */
  finish(): void {
    this.#files.drain();
    for (const { path, mtime, identity } of this.#directoryTimes.values()) {
      const fd = this.#directories.existingDirectory(path);
      if (fd === undefined) continue;
      withFd(fd, () => {
        // A later entry may have put something else there.
        if (fstat(fd).identity === identity) utimensat(fd, ".", mtime, mtime);
      });
    }
    this.close();
  }

  /** Closes all descriptors: after a failure too. */
  close(): void {
    this.#files.close();
    if (this.#open !== undefined) close(this.#open.fd);
    this.#open = undefined;
    this.#directories.forget();
  }

  #apply(entry: TarEntry): void {
    const path = layerPath(entry.name);
    if (path.length === 0) {
      // The root can be described, but never become something else (CVE-2021-29136).
      if (entry.type !== "directory")
        throw new BockerError("corrupt", "the root of a layer is not a directory");
      this.#describeDirectory(openat(this.#root, ".", O_RDONLY | O_DIRECTORY), path, entry);
      return;
    }
    if (this.#mode !== "copy" && this.#isSpecialName(path, entry)) return;
    if (isPlain(entry)) {
      this.#addPlain(path, entry);
      return;
    }
    this.#files.drain();
    this.#place(path, entry);
  }

  /** True for what is no file to be made: whiteouts, which are carried out, and names of aufs. */
  #isSpecialName(path: LayerPath, entry: TarEntry): boolean {
    if (path.some(isMetadataName) && !this.#whiteouts.isOpaqueName(path)) return true;
    if (path.slice(0, -1).some(isWhiteoutName)) {
      throw new BockerError("corrupt", `archive entry ${quoted(entry.name)} is below a whiteout`);
    }
    if (isWhiteoutName(path.at(-1)!)) {
      this.#files.drain();
      this.#whiteouts.apply(path);
      return true;
    }
    this.#whiteouts.keep(path);
    return false;
  }

  #addPlain(path: LayerPath, entry: TarEntry): void {
    const { mode, uid, gid, mtime } = entry;
    const kind = entry.type as "file" | "directory" | "symlink";
    const size = kind === "symlink" ? entry.linkName.length : entry.size;
    const [parent, name] = [pathBytes(path.slice(0, -1)), path.at(-1)!];
    this.#files.add({ kind, parent, name, mode, uid, gid, mtime, size }, { path, entry });
    if (kind === "symlink") this.#files.data(entry.linkName);
    this.#isPlain = kind === "file";
  }

  /** A plain entry that something is in the way of, that its directory is missing for, or that fails. */
  #makeRefused({ path, entry }: Waiting, data: Buffer): void {
    try {
      this.#place(path, entry);
    } catch (error) {
      throw entryError(entry, error);
    }
    if (this.#open === undefined) return;
    this.#write(data, 0);
    this.#endFile();
  }

  #place(path: LayerPath, entry: TarEntry): void {
    this.#create(this.#directories.directory(path.slice(0, -1)), path, path.at(-1)!, entry);
  }

  /** Makes the entry; where something is in the way, it goes first, unless both are directories. */
  #create(parent: number, path: LayerPath, name: Buffer, entry: TarEntry): void {
    for (let attempt = 0; ; attempt++) {
      try {
        this.#make(parent, path, name, entry);
        return;
      } catch (error) {
        if (attempt > 0 || !isSystemError(error, "EEXIST")) throw error;
      }
      const existing = statatIfExists(parent, name);
      if (existing !== undefined && entry.type === "directory" && isDirectory(existing)) {
        this.#describeDirectory(this.#openDirectory(parent, name), path, entry);
        return;
      }
      const wasWhiteout = existing !== undefined && this.#whiteouts.isWhiteout(existing);
      if (this.#mode !== "copy") removeTree(parent, name);
      else if (existing !== undefined && this.#takePlace(parent, path, existing, entry)) return;
      if (existing !== undefined && (isDirectory(existing) || isSymlink(existing))) {
        // It may have been part of a path that is still open.
        this.#directories.forget();
        parent = this.#directories.directory(path.slice(0, -1));
      }
      if (wasWhiteout && entry.type === "directory") {
        this.#make(parent, path, name, entry);
        withFd(this.#openDirectory(parent, name), (fd) => this.#whiteouts.makeOpaque(fd));
        return;
      }
    }
  }

  /** In mode "copy". True when the entry is being written to what is there. */
  #takePlace(parent: number, path: LayerPath, existing: Stat, entry: TarEntry): boolean {
    const name = path.at(-1)!;
    refuseOtherKind(existing, entry.type === "directory", `${this.#at}/${pathBytes(path)}`, name);
    const fd = makeWay(parent, name, entry);
    if (fd === undefined) return false;
    this.#open = { fd, entry, position: 0, isOthers: true };
    return true;
  }

  #make(parent: number, path: LayerPath, name: Buffer, entry: TarEntry): void {
    switch (entry.type) {
      case "file":
        this.#open = {
          fd: openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600),
          entry,
          position: 0,
        };
        return;
      case "directory":
        mkdirat(parent, name, 0o700);
        this.#describeDirectory(this.#openDirectory(parent, name), path, entry);
        return;
      case "symlink":
        symlinkat(entry.linkName, parent, name);
        setMetadataAt(parent, name, entry, true);
        return;
      case "hardlink":
        this.#links.make(path, entry);
        return;
      default:
        this.#makeSpecial(parent, name, entry);
    }
  }

  #makeSpecial(parent: number, name: Buffer, entry: TarEntry): void {
    const types = { character: S_IFCHR, block: S_IFBLK, fifo: S_IFIFO } as const;
    const type = types[entry.type as keyof typeof types];
    if (type === S_IFCHR && entry.major === 0 && entry.minor === 0) {
      // Overlayfs would take it for a whiteout.
      throw new BockerError("corrupt", `archive entry ${quoted(entry.name)} is a character device 0:0`);
    }
    mknodat(parent, name, type | 0o600, entry.major, entry.minor);
    setMetadataAt(parent, name, entry, false);
  }

  #openDirectory(parent: number, name: Buffer): number {
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }

  #describeDirectory(fd: number, path: LayerPath, entry: TarEntry): void {
    withFd(fd, () => {
      setMetadata(fd, entry, false);
      this.#keepTime(path, entry.mtime, fstat(fd).identity);
    });
  }

  #keepTime(path: LayerPath, mtime: TarEntry["mtime"], identity: string): void {
    this.#directoryTimes.set(pathBytes(path).toString("latin1"), { path, mtime, identity });
  }

  /** A directory that no entry describes looks as it does below this layer. */
  #inherit(fd: number, path: LayerPath): void {
    const lower = this.#lowers.find(path);
    if (lower === undefined) return;
    withFd(lower.fd, () => {
      if (!isDirectory(lower.stat)) return;
      const attributes = withFd(openInRoot(lower.root, path, O_RDONLY | O_DIRECTORY), attributesOf);
      const metadata = metadataOf(lower.stat, attributes);
      setMetadata(fd, metadata, true);
      this.#keepTime(path, metadata.mtime, fstat(fd).identity);
    });
  }
}
