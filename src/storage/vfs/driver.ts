/**
 * The vfs driver: every layer and every container a directory of its own, copied whole. It works on any filesystem; where that
 * can share the data of files (reflinks: xfs, btrfs), a copy takes no room but for its names.
 */
import { copyingDirectory } from "../copy-tree.ts";
import { TreeDriver } from "../tree-driver.ts";

export class VfsDriver extends TreeDriver {
  readonly name = "vfs";
  protected readonly copyReason =
    "the container's root is a copy of its image; its files share their data with it where the filesystem can";

  protected makeTree(path: string): void {
    this.makePlain(path);
  }

  protected copyTree(from: string, path: string): void {
    for (const _ of this.copyingTree(from, path));
  }

  protected *copyingTree(from: string, path: string): Generator<void, void, void> {
    this.makePlain(path);
    yield* copyingDirectory(from, path);
  }

  protected copyCommand(from: string, path: string): string[] {
    return ["cp", "-a", "--reflink=auto", from, path];
  }
}
