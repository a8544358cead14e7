/**
 * What the drivers have in common whose layers are whole trees: a layer begins as a copy of the one below, a container's
 * root is a copy of the topmost, and what it changed is the difference. Only how a tree is copied is each driver's own.
 *
 * The host image is this machine's root, which nobody wants copied: its containers have an overlay in every driver.
 */
import { BockerError } from "../base/errors.ts";
import { AT_FDCWD } from "../os/constants.ts";
import { makeDirectory, setMode } from "../os/host-files.ts";
import { kernelRelease } from "../os/machine.ts";
import { fchownat, statat, utimensat } from "../os/metadata.ts";
import type {
  ContainerRoot,
  RootChanges,
  RootMount,
  RootPreparation,
  RootRequest,
  StorageDriver,
} from "./driver.ts";
import { LayerDirectories } from "./layer-directories.ts";
import { cannotLimit } from "./limits.ts";
import { overlayDirectories } from "./overlay/layout.ts";

const HOST_ROOT = "/";

function isOnHost({ lowers }: ContainerRoot): boolean {
  return lowers.at(-1) === HOST_ROOT;
}

function topOf({ lowers }: ContainerRoot): string {
  const [top] = lowers;
  if (top === undefined) throw new BockerError("unsupported", "the image has no layers");
  return top;
}

export abstract class TreeDriver extends LayerDirectories implements StorageDriver {
  abstract readonly name: string;
  readonly layerForm = "tree";

  /** Makes `path`, which is not there, an empty directory that trees can be copied from. */
  protected abstract makeTree(path: string): void;
  /** Makes `path`, which is not there, a copy of the tree at `from`. */
  protected abstract copyTree(from: string, path: string): void;
  /** The same, a step at a time, of any directory. */
  protected abstract copyingTree(from: string, path: string): Iterable<void>;
  /** How somebody would copy a tree by hand. */
  protected abstract copyCommand(from: string, path: string): string[];
  /** What there is to say of the copy. */
  protected abstract readonly copyReason: string;

  beginLayer(parent: string | undefined): string {
    const directory = this.begin();
    if (parent === undefined) this.makeTree(directory);
    else this.copyTree(parent, directory);
    return directory;
  }

  prepareRoot(root: ContainerRoot, limit: number | undefined): RootPreparation[] {
    if (isOnHost(root)) {
      if (limit !== undefined)
        throw new BockerError(
          "unsupported",
          "size= is not for the image host, whose containers are overlays",
        );
      return overlayDirectories(root);
    }
    if (limit !== undefined) this.checkLimit(limit);
    const from = topOf(root);
    return [
      {
        kind: "clone",
        from,
        path: root.upper,
        limit,
        why: this.copyReason,
        command: this.copyCommand(from, root.upper),
      },
      {
        kind: "directory",
        path: root.work,
        mode: 0o710,
        why: "as old as the root: what is newer has been changed by the container",
      },
    ];
  }

  clone({ from, path, limit }: Extract<RootPreparation, { kind: "clone" }>): void {
    this.copyTree(from, path);
    // As with an overlay, whose upper directory is the root: whatever the image says of its own.
    fchownat(AT_FDCWD, path, 0, 0);
    setMode(path, 0o755);
    if (limit !== undefined) this.limitTree(path, limit);
  }

  async rootMount(request: RootRequest): Promise<RootMount> {
    const { checkDepth, overlayMount } = await import("./overlay/mount.ts");
    if (isOnHost(request)) return overlayMount(request, kernelRelease(), this.root);
    checkDepth(request.lowers.length);
    return { kind: "bind", source: request.upper, why: "the container's own copy of its image" };
  }

  changes(root: ContainerRoot): RootChanges {
    if (isOnHost(root)) return { kind: "upper", directory: root.upper };
    return { kind: "tree", root: root.upper, base: topOf(root), since: root.work };
  }

  async *copyRoot(
    from: ContainerRoot,
    to: ContainerRoot,
    limit: number | undefined,
  ): AsyncGenerator<void, void, void> {
    if (isOnHost(from)) {
      const { copyOverlay } = await import("./overlay/copy.ts");
      yield* copyOverlay(from, to);
      return;
    }
    yield* this.copyingTree(from.upper, to.upper);
    if (limit !== undefined) this.limitTree(to.upper, limit);
    makeDirectory(to.work, 0o710);
    setMode(to.work, 0o710);
    // What the first container has changed, this one has, too.
    const { mtime } = statat(AT_FDCWD, from.work);
    utimensat(AT_FDCWD, to.work, mtime, mtime);
  }

  emptyDirectory(path: string): void {
    this.makeTree(path);
  }

  async *copyDirectory(
    from: string,
    path: string,
    limit: number | undefined,
  ): AsyncGenerator<void, void, void> {
    if (limit !== undefined) this.checkLimit(limit);
    yield* this.copyingTree(from, path);
    if (limit !== undefined) this.limitTree(path, limit);
  }

  limitedDirectory(path: string, limit: number): void {
    this.checkLimit(limit);
    this.makeTree(path);
    this.limitTree(path, limit);
  }

  /** Throws "unsupported" unless a tree of this driver can be held to a size. */
  protected checkLimit(_limit: number): void {
    throw cannotLimit(this.name);
  }

  /** Holds a tree, just made, to what may be written to it from now on. */
  protected limitTree(_path: string, _limit: number): void {
    throw cannotLimit(this.name);
  }

  /** A plain directory, for makeTree. */
  protected makePlain(path: string): void {
    makeDirectory(path, 0o755);
    setMode(path, 0o755);
  }
}
