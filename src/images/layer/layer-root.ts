/**
 * Directories below the root of a layer, by descriptor.
 *
 * Promises: every lookup is openat2 with RESOLVE_IN_ROOT: symlinks inside the layer work, and lead
 * nowhere else. Descriptors of recent directories are kept; `forget` must be called when something that
 * may be part of a path is removed, after which all of them are looked up again (CVE-2025-47290 was a
 * parent that had been resolved before a later entry replaced it).
 */
import {
  AT_FDCWD,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "../../os/constants.ts";
import { close, mkdirat, openat, openat2, withFd } from "../../os/files.ts";
import { isSystemError } from "../../os/system-error.ts";
import { type LayerPath, pathBytes } from "./layer-path.ts";

const RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
const CACHE_SIZE = 64;

/** A descriptor of what `path` is below `root`; a final symlink is opened itself with O_NOFOLLOW. */
export function openInRoot(root: number, path: LayerPath, flags: number): number {
  return openat2(root, pathBytes(path), flags, 0, RESOLVE);
}

export class LayerRoot {
  readonly #root: number;
  readonly #created: (directory: number, path: LayerPath) => void;
  /** In the order of their last use. */
  readonly #cache = new Map<string, number>();
  #lastKey = "";
  #lastFd = -1;

  /** `root` stays the caller's. `created` sees every directory that was missing on a path. */
  constructor(root: number, created: (directory: number, path: LayerPath) => void) {
    this.#root = root;
    this.#created = created;
  }

  /** An O_PATH descriptor of a directory, valid until the next call; what is missing is made, 0755. */
  directory(path: LayerPath): number {
    if (path.length === 0) return this.#root;
    const bytes = pathBytes(path);
    const key = bytes.toString("latin1");
    if (key === this.#lastKey && this.#lastFd >= 0) return this.#lastFd;
    let fd = this.#cache.get(key);
    if (fd === undefined) fd = this.#openOrMake(path);
    else this.#cache.delete(key);
    this.#cache.set(key, fd);
    this.#lastKey = key;
    this.#lastFd = fd;
    if (this.#cache.size > CACHE_SIZE) this.#evict();
    return fd;
  }

  /** As `directory`, undefined where a part is missing or is no directory, but a symlink to itself, say. */
  existingDirectory(path: LayerPath): number | undefined {
    try {
      return openInRoot(this.#root, path, O_PATH | O_DIRECTORY);
    } catch (error) {
      if (isSystemError(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
      throw error;
    }
  }

  forget(): void {
    for (const fd of this.#cache.values()) close(fd);
    this.#cache.clear();
    this.#lastKey = "";
    this.#lastFd = -1;
  }

  #evict(): void {
    const [key, fd] = this.#cache.entries().next().value!;
    this.#cache.delete(key);
    close(fd);
  }

  #openOrMake(path: LayerPath): number {
    try {
      return openInRoot(this.#root, path, O_PATH | O_DIRECTORY);
    } catch (error) {
      if (!isSystemError(error, "ENOENT")) throw error;
    }
    const parent = this.#openParent(path);
    return withFd(parent, (parentFd) => {
      const name = path.at(-1)!;
      // A dangling symlink is in the way (EEXIST): it must not be followed to make its target.
      mkdirat(parentFd, name, 0o755);
      const fd = openat(parentFd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      withFd(fd, (made) => this.#created(made, path));
      return openat(parentFd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    });
  }

  /** The directory above `path`, made if need be: from the top down, so that no depth recurses. */
  #openParent(path: LayerPath): number {
    for (let depth = 1; depth < path.length - 1; depth++) {
      const above = path.slice(0, depth);
      if (!this.#exists(above)) close(this.#openOrMake(above));
    }
    return path.length === 1
      ? openInRoot(this.#root, [], O_PATH | O_DIRECTORY)
      : this.#openOrMake(path.slice(0, -1));
  }

  #exists(path: LayerPath): boolean {
    const fd = this.existingDirectory(path);
    if (fd !== undefined) close(fd);
    return fd !== undefined;
  }
}

/** For the tests and tools that have a path of the host and not of an image. */
export function openHostDirectory(path: string): number {
  return openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
}
