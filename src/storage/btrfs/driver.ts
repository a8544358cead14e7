/**
 * The btrfs driver: a layer is a subvolume, begun as a snapshot of the one below; a container's root is a snapshot of the
 * topmost. A snapshot copies nothing, however large the image is, and a subvolume can be held to a size.
 */
import { BockerError } from "../../base/errors.ts";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../../os/constants.ts";
import { openat, withFd } from "../../os/files.ts";
import { setMode } from "../../os/host-files.ts";
import { fstat } from "../../os/metadata.ts";
import { isSubvolume } from "../../os/subvolume.ts";
import { copyingDirectory } from "../copy-tree.ts";
import { TreeDriver } from "../tree-driver.ts";
import { createSnapshot, createSubvolume, enableQuota, limitExclusive } from "./ioctl.ts";

/** Less is taken by the tree's own blocks, so that nothing could be written at all. */
const LEAST = 1 << 20;

const open = (path: string) => openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);

function inParent<T>(path: string, action: (parent: number, name: string) => T): T {
  const slash = path.lastIndexOf("/");
  return withFd(open(path.slice(0, slash)), (parent) => action(parent, path.slice(slash + 1)));
}

export class BtrfsDriver extends TreeDriver {
  readonly name = "btrfs";
  protected readonly copyReason =
    "the container's root is a snapshot of its image: what it does not change, it shares";

  protected makeTree(path: string): void {
    inParent(path, createSubvolume);
    setMode(path, 0o755);
  }

  protected copyTree(from: string, path: string): void {
    withFd(open(from), (source) => inParent(path, (parent, name) => createSnapshot(source, parent, name)));
  }

  /** Of a subvolume a snapshot; of a plain directory a subvolume, whose files share their data with it. */
  protected *copyingTree(from: string, path: string): Generator<void, void, void> {
    if (withFd(open(from), (source) => isSubvolume(source, fstat(source)))) {
      this.copyTree(from, path);
      return;
    }
    this.makeTree(path);
    yield* copyingDirectory(from, path);
  }

  protected copyCommand(from: string, path: string): string[] {
    return ["btrfs", "subvolume", "snapshot", from, path];
  }

  protected override checkLimit(limit: number): void {
    if (limit < LEAST) throw new BockerError("invalid", `size=${limit} is less than a megabyte`);
  }

  protected override limitTree(path: string, limit: number): void {
    withFd(open(path), (fd) => {
      enableQuota(fd);
      limitExclusive(fd, limit);
    });
  }
}
