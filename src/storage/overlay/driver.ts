/** The overlay driver: a directory for each layer, stacked by overlayfs (Documentation/filesystems/overlayfs.rst). */

import { AT_FDCWD } from "../../os/constants.ts";
import { symlinkat } from "../../os/files.ts";
import { exists, makeDirectories, makeDirectory, removeFile, setMode } from "../../os/host-files.ts";
import { kernelRelease } from "../../os/machine.ts";
import type {
  ContainerRoot,
  RootChanges,
  RootMount,
  RootPreparation,
  RootRequest,
  StorageDriver,
} from "../driver.ts";
import { LayerDirectories } from "../layer-directories.ts";
import { cannotLimit } from "../limits.ts";
import { overlayDirectories, SHORT_NAME } from "./layout.ts";

export class OverlayDriver extends LayerDirectories implements StorageDriver {
  readonly name = "overlay";
  readonly layerForm = "changes";
  readonly #kernel: () => string;

  /** @param root where the layers are; `trash` takes what is removed, on the same filesystem */
  constructor(root: string, trash: string, kernel: () => string = kernelRelease) {
    super(root, trash);
    this.#kernel = kernel;
  }

  beginLayer(): string {
    const directory = this.begin();
    makeDirectory(directory, 0o710);
    return directory;
  }

  override commitLayer(directory: string, chainId: string): void {
    super.commitLayer(directory, chainId);
    this.#linkShortName(chainId);
  }

  /**
   * Layers have short second names in l/, because mount(2) on kernels before 6.5 takes one page of options
   * for all of them together.
   */
  #linkShortName(chainId: string): void {
    const hex = chainId.slice("sha256:".length);
    makeDirectories(`${this.root}/l`, 0o710);
    const link = `${this.root}/l/${hex.slice(0, SHORT_NAME)}`;
    if (!exists(link)) symlinkat(`../${hex}/diff`, AT_FDCWD, link);
  }

  override removeLayer(chainId: string): void {
    removeFile(`${this.root}/l/${chainId.slice("sha256:".length, "sha256:".length + SHORT_NAME)}`);
    super.removeLayer(chainId);
  }

  prepareRoot(root: ContainerRoot, limit: number | undefined): RootPreparation[] {
    if (limit !== undefined) throw cannotLimit(this.name);
    return overlayDirectories(root);
  }

  clone(): void {
    throw new TypeError("an overlay is not cloned");
  }

  async rootMount(request: RootRequest): Promise<RootMount> {
    const { overlayMount } = await import("./mount.ts");
    return overlayMount(request, this.#kernel(), this.root);
  }

  changes({ upper }: ContainerRoot): RootChanges {
    return { kind: "upper", directory: upper };
  }

  async *copyRoot(from: ContainerRoot, to: ContainerRoot): AsyncGenerator<void, void, void> {
    const { copyOverlay } = await import("./copy.ts");
    yield* copyOverlay(from, to);
  }

  emptyDirectory(path: string): void {
    makeDirectory(path, 0o755);
    setMode(path, 0o755);
  }

  async *copyDirectory(from: string, path: string): AsyncGenerator<void, void, void> {
    const { copyPlain } = await import("./copy.ts");
    yield* copyPlain(from, path);
  }

  limitedDirectory(): void {
    throw cannotLimit(this.name);
  }
}
