/** What a container has changed, in whichever way its storage driver keeps it. */
import { type Change, treeChangeList, upperChangeList } from "../images/layer/change-list.ts";
import { diffTrees, diffUpper, type TreeOptions } from "../images/layer/diff.ts";
import { changedSize, type TreePair } from "../images/layer/tree-changes.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { close, openat } from "../os/files.ts";
import { statat } from "../os/metadata.ts";
import { isSystemError } from "../os/system-error.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerRoot } from "../state/paths.ts";
import { diskUsage } from "./disk-usage.ts";
import type { Engine } from "./engine.ts";

/** Where the engine mounts things that an image need not have; Docker leaves them out, too. */
export const MOUNT_POINTS = new Set(["dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf"]);

const open = (path: string) => openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

/** Opened, so that what removes it meanwhile does not make it another. */
export interface ContainerChanges {
  /** As the layer that they would be. */
  archive(options: TreeOptions): Iterable<Buffer>;
  /** By name, in the order of the paths. */
  list(): Change[];
  close(): void;
}

function openPair(paths: { root: string; base: string; since: string }): TreePair {
  const root = open(paths.root);
  try {
    return { root, base: open(paths.base), since: statat(AT_FDCWD, paths.since).mtime };
  } catch (error) {
    close(root);
    throw error;
  }
}

function closePair({ root, base }: TreePair): void {
  close(root);
  close(base);
}

function listUpper(upper: number, layers: readonly string[]): Change[] {
  const lowers: number[] = [];
  try {
    for (const layer of layers) lowers.push(open(layer));
    return upperChangeList(upper, lowers, MOUNT_POINTS);
  } finally {
    for (const fd of lowers) close(fd);
  }
}

/** Throws ENOENT for a container whose files are gone. */
export function openChanges(engine: Engine, record: ContainerRecord): ContainerChanges {
  const changes = engine.driver.changes(containerRoot(engine.paths, record));
  if (changes.kind === "upper") {
    const upper = open(changes.directory);
    return {
      archive: (options) => diffUpper(upper, options),
      list: () => listUpper(upper, record.layers),
      close: () => close(upper),
    };
  }
  const pair = openPair(changes);
  return {
    archive: (options) => diffTrees(pair, options),
    list: () => treeChangeList(pair, MOUNT_POINTS),
    close: () => closePair(pair),
  };
}

/** Bytes of the files that the container has written; 0 once it is gone. */
export function changedBytes(engine: Engine, record: ContainerRecord): number {
  if (record.host.rootfs !== undefined) return 0;
  const changes = engine.driver.changes(containerRoot(engine.paths, record));
  if (changes.kind === "upper") return diskUsage(changes.directory);
  try {
    const pair = openPair(changes);
    try {
      return changedSize(pair);
    } finally {
      closePair(pair);
    }
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return 0;
    throw error;
  }
}
