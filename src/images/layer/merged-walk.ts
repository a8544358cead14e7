/**
 * Walking layers as the one tree that overlayfs makes of them, without a mount.
 *
 * Promises: what an upper layer has hides what lower ones have under the same name, whiteouts and opaque directories hide what
 * is below them and are not met themselves; entries come in the order of their names' bytes; no symlink is
 * followed, nothing that is mounted in a layer is entered; descriptors are held for one directory at a time.
 */
import {
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../os/constants.ts";
import { DT_CHR, DT_DIR, DT_UNKNOWN, readDirectory } from "../../os/directories.ts";
import { close, openat2, withFd } from "../../os/files.ts";
import { isDirectory, statat } from "../../os/metadata.ts";
import { isSystemError } from "../../os/system-error.ts";
import type { WalkStep } from "../../os/tree-walk.ts";
import { isOpaque, isWhiteoutDevice } from "./whiteout.ts";

const SLASH = Buffer.from("/");
const HERE = Buffer.from(".");

interface Entry {
  name: Buffer;
  /** The layer, counted from the topmost, whose entry is seen. */
  layer: number;
  isDirectory: boolean;
}

interface Level {
  path: Buffer;
  /** Layers whose directories are merged into this one, the topmost first. */
  layers: number[];
  entries: Entry[];
  next: number;
}

/** The directory of one layer at a path. Throws ENOENT, ENOTDIR or ELOOP for what is none, EXDEV for what is mounted there. */
function openDirectory(root: number, path: Buffer): number {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  return openat2(root, path.length === 0 ? HERE : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, resolve);
}

/** Those of the layers, from the first on, whose directories at `path` are seen together. */
function mergedLayers(roots: readonly number[], path: Buffer, layers: readonly number[]): number[] {
  const merged: number[] = [];
  for (const layer of layers)
    try {
      const opaque = withFd(openDirectory(roots[layer]!, path), isOpaque);
      merged.push(layer);
      if (opaque) break;
    } catch (error) {
      if (isSystemError(error, "ENOENT")) continue;
      // Something else, a whiteout too, ends what is seen of the layers below.
      if (isSystemError(error, "ENOTDIR", "ELOOP", "EXDEV")) break;
      throw error;
    }
  return merged;
}

function visibleEntries(roots: readonly number[], path: Buffer, layers: readonly number[]): Entry[] {
  const seen = new Map<string, Entry | undefined>();
  for (const layer of layers)
    withFd(openDirectory(roots[layer]!, path), (fd) => {
      for (const { name, type } of readDirectory(fd)) {
        const key = name.toString("latin1");
        if (seen.has(key)) continue;
        const stat = type === DT_UNKNOWN || type === DT_CHR ? statat(fd, name) : undefined;
        const hidden = stat !== undefined && isWhiteoutDevice(stat);
        const directory = type === DT_DIR || (stat !== undefined && isDirectory(stat));
        seen.set(key, hidden ? undefined : { name, layer, isDirectory: directory });
      }
    });
  return [...seen.values()]
    .filter((entry) => entry !== undefined)
    .sort((a, b) => Buffer.compare(a.name, b.name));
}

/**
 * Every entry below the roots of layers; there are no leaving steps.
 * @param roots directory descriptors, the topmost layer first; they stay the caller's
 */
export function* walkLayers(roots: readonly number[]): Generator<WalkStep, void, void> {
  const levelOf = (path: Buffer, candidates: readonly number[]): Level => {
    const layers = mergedLayers(roots, path, candidates);
    return { path, layers, entries: visibleEntries(roots, path, layers), next: 0 };
  };
  const levels = [levelOf(Buffer.alloc(0), [...roots.keys()])];
  /** The directories of the current level that were needed so far, by layer. */
  const open = new Map<number, number>();
  const closeAll = () => {
    for (const fd of open.values()) close(fd);
    open.clear();
  };
  try {
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const entry = level.entries[level.next++];
      if (entry === undefined) {
        levels.pop();
        closeAll();
        continue;
      }
      const { name, layer } = entry;
      const dirfd = open.get(layer) ?? openDirectory(roots[layer]!, level.path);
      open.set(layer, dirfd);
      const path = level.path.length === 0 ? name : Buffer.concat([level.path, SLASH, name]);
      const step: WalkStep = {
        dirfd,
        name,
        path,
        isDirectory: entry.isDirectory,
        leaving: false,
        descend: true,
      };
      yield step;
      if (!entry.isDirectory || !step.descend) continue;
      closeAll();
      const below = level.layers.slice(level.layers.indexOf(layer));
      levels.push(levelOf(path, below));
    }
  } finally {
    closeAll();
  }
}
