/**
 * Paths of `cp`: looked up below a root one component after the other, so that what comes of it has neither links nor ".."
 * and can be used again by RESOLVE_IN_ROOT; and Docker's rules for what a copy is called, and where it goes
 * (docker cp's manual; moby, archive.PrepareArchiveCopy).
 */
import { BockerError } from "../base/errors.ts";
import { type LayerPath, layerPath, pathBytes } from "../images/layer/layer-path.ts";
import { openInRoot } from "../images/layer/layer-root.ts";
import { O_DIRECTORY, O_PATH } from "../os/constants.ts";
import { close, readlinkat, withFd } from "../os/files.ts";
import { isDirectory, isSymlink, type Stat, statatIfExists } from "../os/metadata.ts";
import { isSystemError, SystemError } from "../os/system-error.ts";

/** The kernel's own limit. */
const LINKS_MAX = 40;
const [ENOTDIR, ELOOP] = [20, 40];
const SLASH = 0x2f;

export interface FoundPath {
  /** From the root; no component is a symlink, but for the last one if it was not to be followed. */
  path: LayerPath;
  /** Undefined where nothing is there: the directory that it would be in is. */
  stat: Stat | undefined;
}

const HERE = Buffer.from(".");
const ABOVE = Buffer.from("..");

/** Of a link's target. A slash at its end says that it is a directory, as "." does. */
function components(path: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let start = 0; start <= path.length; ) {
    const slash = path.indexOf(SLASH, start);
    const end = slash < 0 ? path.length : slash;
    const name = path.subarray(start, end);
    if (name.length > 0) found.push(name);
    else if (end === path.length) found.push(HERE);
    start = end + 1;
  }
  return found;
}

/** Whether a path, as it was typed, is that of a directory: "x/", "x/.", "..". */
export function assertsDirectory(path: string): boolean {
  return /(^|\/)\.{0,2}$/.test(path);
}

/**
 * Looks a path up below `root`, links inside it.
 * @param followsLast whether a link that is the last component is followed; in a path that asserts a directory it always is
 * @throws SystemError ENOENT and ENOTDIR where a directory on the way is missing or none, ELOOP
 */
export function findPath(root: number, typed: string, followsLast: boolean): FoundPath {
  const follows = followsLast || assertsDirectory(typed);
  // As Docker: ".." in what was typed is undone by what is written before it.
  const waiting = [...layerPath(Buffer.from(`/${typed}`))];
  let path: Buffer[] = [];
  let stat: Stat | undefined;
  for (let links = 0; waiting.length > 0; ) {
    const name = waiting.shift()!;
    if (name.equals(HERE) || name.equals(ABOVE)) {
      // What it stays in or leaves must be there, and be a directory.
      close(openInRoot(root, path, O_PATH | O_DIRECTORY));
      if (name.equals(ABOVE)) path.pop();
      stat = undefined;
      continue;
    }
    const isLast = waiting.length === 0;
    const [found, target] = withFd(openInRoot(root, path, O_PATH | O_DIRECTORY), (parent) => {
      const there = statatIfExists(parent, name);
      const isFollowed = there !== undefined && isSymlink(there) && (!isLast || follows);
      return [there, isFollowed ? readlinkat(parent, name) : undefined] as const;
    });
    if (target === undefined) {
      path.push(name);
      stat = found;
      continue;
    }
    if (++links > LINKS_MAX) throw new SystemError(ELOOP, "openat2", typed);
    if (target[0] === SLASH) path = [];
    waiting.unshift(...components(target));
    stat = undefined;
  }
  if (stat === undefined) stat = statOf(root, path);
  if (stat !== undefined && !isDirectory(stat) && assertsDirectory(typed))
    throw new SystemError(ENOTDIR, "openat2", typed);
  return { path, stat };
}

/** Undefined for what is not there. */
function statOf(root: number, path: LayerPath): Stat | undefined {
  const { parent, name } = openParent(root, path);
  return withFd(parent, () => statatIfExists(parent, name));
}

/** Opens the directory that a found path is in: its descriptor, the caller's to close, and the name there. */
export function openParent(root: number, path: LayerPath): { parent: number; name: Buffer } {
  return {
    parent: openInRoot(root, path.slice(0, -1), O_PATH | O_DIRECTORY),
    name: path.at(-1) ?? Buffer.from("."),
  };
}

/** What is to be copied. */
export interface CopySource {
  isDirectory: boolean;
  /** The last name of what was typed; "." for the contents of a directory alone. */
  name: string;
}

/** As typed, of something that is there. */
export function sourceOf(typed: string, stat: Stat): CopySource {
  const last = layerPath(Buffer.from(`/${typed}`)).at(-1);
  const isContents = last === undefined || /(^|\/)\.$/.test(typed);
  return { isDirectory: isDirectory(stat), name: isContents ? "." : last.toString() };
}

/** Where a copy goes: below which directory, and under which name; "." for the contents alone. */
export interface CopyPlace {
  directory: LayerPath;
  name: string;
}

/**
 * Docker's rules.
 * @param typed the target's path
 * @throws BockerError "invalid" where the source cannot go there
 */
export function placeOf(source: CopySource, target: FoundPath, typed: string): CopyPlace {
  if (target.stat !== undefined && isDirectory(target.stat))
    return { directory: target.path, name: source.name };
  if (target.stat !== undefined && source.isDirectory)
    throw new BockerError("invalid", "cannot copy directory");
  if (target.stat === undefined && !source.isDirectory && assertsDirectory(typed))
    throw new BockerError("invalid", "no such directory");
  return { directory: target.path.slice(0, -1), name: target.path.at(-1)!.toString() };
}

/** A path for a message. */
export function shownPath(path: LayerPath): string {
  return path.length === 0 ? "/" : `/${pathBytes(path)}`;
}

/** True for an error of a lookup: nothing is there that could have this path. */
export function isMissing(error: unknown): error is SystemError {
  return isSystemError(error, "ENOENT", "ENOTDIR");
}
