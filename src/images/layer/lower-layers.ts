/**
 * The layers below the one that is being applied, each a directory in overlayfs form.
 *
 * Promises: `find` gives the file that a container would see at that path without the new layer: an
 * upper one hides a lower one, whiteouts and opaque directories end the search. Symlinks in a path lead
 * within their own layer.
 */
import { O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY } from "../../os/constants.ts";
import { close, withFd } from "../../os/files.ts";
import { fstat, isDirectory, type Stat } from "../../os/metadata.ts";
import { isSystemError } from "../../os/system-error.ts";
import type { LayerPath } from "./layer-path.ts";
import { openInRoot } from "./layer-root.ts";
import { isOpaque, isWhiteoutDevice } from "./whiteout.ts";

export interface LowerFile {
  /** O_PATH, the caller's to close. */
  fd: number;
  stat: Stat;
  /** The root of the layer that has it. */
  root: number;
}

/** Whether a layer that has nothing at a path lets the search continue below it. */
function hidesBelow(root: number, path: LayerPath): boolean {
  for (let depth = 1; depth <= path.length; depth++) {
    let fd: number;
    try {
      fd = openInRoot(root, path.slice(0, depth), O_PATH | O_NOFOLLOW);
    } catch (error) {
      return !isSystemError(error, "ENOENT");
    }
    try {
      const stat = fstat(fd);
      if (isWhiteoutDevice(stat)) return true;
      if (isDirectory(stat) && withFd(openInRoot(root, path.slice(0, depth), 0), isOpaque)) return true;
    } finally {
      close(fd);
    }
  }
  return false;
}

export class LowerLayers {
  readonly #roots: () => readonly number[];

  /** Directory descriptors, the topmost layer first; they stay the caller's. */
  constructor(roots: readonly number[] | (() => readonly number[])) {
    this.#roots = typeof roots === "function" ? roots : () => roots;
  }

  /**
   * The directories that are merged into the one visible at `path`, topmost first; none where something
   * else is visible. Their descriptors (O_RDONLY) are the caller's to close.
   */
  directories(path: LayerPath): number[] {
    const found: number[] = [];
    for (const root of this.#roots()) {
      try {
        found.push(openInRoot(root, path, O_RDONLY | O_DIRECTORY));
      } catch (error) {
        if (isSystemError(error, "ENOTDIR")) break;
        if (!isSystemError(error, "ENOENT")) throw error;
      }
      if (hidesBelow(root, path)) break;
    }
    return found;
  }

  /** What is visible at `path`; undefined for nothing. */
  find(path: LayerPath): LowerFile | undefined {
    for (const root of this.#roots()) {
      try {
        const fd = openInRoot(root, path, O_PATH | O_NOFOLLOW);
        const stat = fstat(fd);
        if (!isWhiteoutDevice(stat)) return { fd, stat, root };
        close(fd);
        return undefined;
      } catch (error) {
        if (!isSystemError(error, "ENOENT", "ENOTDIR")) throw error;
        if (hidesBelow(root, path)) return undefined;
      }
    }
    return undefined;
  }
}
