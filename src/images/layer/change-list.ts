/**
 * What is new, changed or gone in a container's files, by name: what `docker diff` shows.
 *
 * A directory that is only there because of what is in it, or whose time has changed because something is mounted in it, is
 * shown if something in it is.
 */
import { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../../os/constants.ts";
import { readDirectory } from "../../os/directories.ts";
import { close, openat, withFd } from "../../os/files.ts";
import { isDirectory, type Stat, statatIfExists } from "../../os/metadata.ts";
import { type WalkStep, walkTree } from "../../os/tree-walk.ts";
import { layerPath } from "./layer-path.ts";
import { LowerLayers } from "./lower-layers.ts";
import { isEmptyMountPoint } from "./mount-points.ts";
import { type ChangeStep, type TreePair, treeChanges } from "./tree-changes.ts";
import { isOpaque, isWhiteoutDevice } from "./whiteout.ts";

export interface Change {
  /** Added, changed, deleted. */
  kind: "A" | "C" | "D";
  /** From the root, without a leading slash. */
  path: Buffer;
}

/** One that is shown only if something in it is. */
interface Found extends Change {
  isDoubtful: boolean;
}

const SLASH = Buffer.from("/");

const parentOf = (path: string) => path.slice(0, Math.max(path.lastIndexOf("/"), 0));

class ChangeList {
  readonly #below: LowerLayers;
  readonly #mountPoints: ReadonlySet<string>;
  readonly #aboveMountPoints: ReadonlySet<string>;

  constructor(lowers: readonly number[], mountPoints: ReadonlySet<string>) {
    this.#below = new LowerLayers(lowers);
    this.#mountPoints = mountPoints;
    this.#aboveMountPoints = new Set([...mountPoints].map(parentOf));
  }

  /** All changes, in the order of their paths' bytes. */
  sorted(steps: Iterable<ChangeStep>, form: "upper" | "tree"): Change[] {
    const changes: Change[] = [];
    let waiting: Found[] = [];
    for (const found of this.#found(steps, form)) {
      waiting = waiting.filter(({ path }) => isInside(found.path, path));
      if (found.isDoubtful) waiting.push(found);
      else changes.push(...waiting.splice(0), found);
    }
    return changes.map(({ kind, path }) => ({ kind, path })).sort((a, b) => Buffer.compare(a.path, b.path));
  }

  *#found(steps: Iterable<ChangeStep>, form: "upper" | "tree"): Generator<Found, void, void> {
    for (const step of steps) {
      if (step.leaving) continue;
      const path = Buffer.from(step.path);
      const stat = step.removed === true ? undefined : statatIfExists(step.dirfd, step.name);
      if (step.removed === true || (form === "upper" && stat !== undefined && isWhiteoutDevice(stat)))
        yield { kind: "D", path, isDoubtful: false };
      else if (stat === undefined || isEmptyMountPoint(step, stat, this.#mountPoints)) step.descend = false;
      else {
        const before = this.#before(path);
        const isDoubtful = before !== undefined && this.#isDoubtful(path, before, stat);
        yield { kind: before === undefined ? "A" : "C", path, isDoubtful };
        if (form === "upper" && before !== undefined && isDirectory(stat)) yield* this.#hidden(step, path);
      }
    }
  }

  /** What the layers below have there. */
  #before(path: Buffer): Stat | undefined {
    const lower = this.#below.find(layerPath(path));
    if (lower === undefined) return undefined;
    close(lower.fd);
    return lower.stat;
  }

  #isDoubtful(path: Buffer, before: Stat, now: Stat): boolean {
    if (!isDirectory(before) || !isDirectory(now)) return false;
    if (before.mode !== now.mode || before.uid !== now.uid || before.gid !== now.gid) return false;
    const hasSameTime = before.mtime.sec === now.mtime.sec && before.mtime.nsec === now.mtime.nsec;
    return hasSameTime || this.#aboveMountPoints.has(path.toString("latin1"));
  }

  /** Names below an opaque directory that are there no more. */
  *#hidden({ dirfd, name }: WalkStep, path: Buffer): Generator<Found, void, void> {
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    const { opaque, names } = withFd(openat(dirfd, name, flags), (fd) => ({
      opaque: isOpaque(fd),
      names: new Set(readDirectory(fd).map((entry) => entry.name.toString("latin1"))),
    }));
    if (!opaque) return;
    const before = new Set<string>();
    const directories = this.#below.directories(layerPath(path));
    try {
      for (const fd of directories)
        for (const entry of readDirectory(fd)) before.add(entry.name.toString("latin1"));
    } finally {
      for (const fd of directories) close(fd);
    }
    for (const gone of [...before].filter((entry) => !names.has(entry))) {
      const inside = Buffer.concat([path, SLASH, Buffer.from(gone, "latin1")]);
      if (this.#before(inside) !== undefined) yield { kind: "D", path: inside, isDoubtful: false };
    }
  }
}

function isInside(path: Buffer, directory: Buffer): boolean {
  return (
    path.length > directory.length && path[directory.length] === SLASH[0] && path.indexOf(directory) === 0
  );
}

/** Of an overlayfs upper directory. @param lowers descriptors of the layers below it, the topmost first */
export function upperChangeList(
  upper: number,
  lowers: readonly number[],
  mountPoints: ReadonlySet<string>,
): Change[] {
  return new ChangeList(lowers, mountPoints).sorted(walkTree(upper, { oneFileSystem: true }), "upper");
}

/** Of a tree since it was copied from another. */
export function treeChangeList(pair: TreePair, mountPoints: ReadonlySet<string>): Change[] {
  return new ChangeList([pair.base], mountPoints).sorted(treeChanges(pair), "tree");
}
