/** The overlay driver: a directory for each layer, stacked by overlayfs (Documentation/filesystems/overlayfs.rst). */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { release } from "node:os";
import { basename, dirname, join } from "node:path";
import { BockerError } from "../../base/errors.ts";
import {
  AT_FDCWD,
  LOCK_EX,
  LOCK_NB,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
} from "../../os/constants.ts";
import { flock, fsync, openat, withFd } from "../../os/files.ts";
import { removeTree } from "../../os/remove-tree.ts";
import type { RootMount, RootRequest, StorageDriver } from "../driver.ts";

/** Docker's limit; the kernel itself takes 500. */
export const MAX_LAYERS = 128;
/** mount(2) copies one page of options. */
const OPTION_PAGE = 4095;
const SHORT_NAME = 12;
const TEMPORARY = ".tmp-";

/** fsconfig's `lowerdir+`, one layer a call, came with Linux 6.5. */
function hasLayerOption(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 5);
}

export class OverlayDriver implements StorageDriver {
  readonly name = "overlay";
  readonly #root: string;
  readonly #trash: string;
  readonly #kernel: string;

  /** @param root where the layers are; `trash` takes what is removed, on the same filesystem */
  constructor(root: string, trash: string, kernel: string = release()) {
    this.#root = root;
    this.#trash = trash;
    this.#kernel = kernel;
  }

  layerDirectory(chainId: string): string {
    return join(this.#root, chainId.slice("sha256:".length), "diff");
  }

  hasLayer(chainId: string): boolean {
    return existsSync(this.layerDirectory(chainId));
  }

  beginLayer(): string {
    const directory = join(this.#root, `${TEMPORARY}${randomBytes(8).toString("hex")}`);
    mkdirSync(join(directory, "diff"), { recursive: true, mode: 0o710 });
    return join(directory, "diff");
  }

  commitLayer(directory: string, chainId: string): void {
    const temporary = join(directory, "..");
    try {
      renameSync(temporary, join(this.layerDirectory(chainId), ".."));
    } catch (error) {
      if (!this.hasLayer(chainId)) throw error;
      this.abortLayer(directory);
    }
    this.#linkShortName(chainId);
    withFd(openat(AT_FDCWD, this.#root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fsync);
  }

  abortLayer(directory: string): void {
    this.#removeTemporary(basename(dirname(directory)));
  }

  removeStaleLayers(): number {
    const names = readdirSync(this.#root).filter((name) => name.startsWith(TEMPORARY));
    const stale = names.filter((name) => {
      const fd = openat(AT_FDCWD, join(this.#root, name, "diff"), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      return withFd(fd, () => flock(fd, LOCK_EX | LOCK_NB));
    });
    for (const name of stale) this.#removeTemporary(name);
    return stale.length;
  }

  #removeTemporary(name: string): void {
    withFd(openat(AT_FDCWD, this.#root, O_RDONLY | O_DIRECTORY), (root) => removeTree(root, name));
  }

  /**
   * Layers have short second names in l/, because mount(2) on kernels before 6.5 takes one page of options
   * for all of them together. Twelve digits of the chain id; a collision would only cost the short name.
   */
  #linkShortName(chainId: string): void {
    const hex = chainId.slice("sha256:".length);
    mkdirSync(join(this.#root, "l"), { recursive: true, mode: 0o710 });
    const link = join(this.#root, "l", hex.slice(0, SHORT_NAME));
    if (!existsSync(link)) symlinkSync(`../${hex}/diff`, link);
  }

  removeLayer(chainId: string): void {
    rmSync(join(this.#root, "l", chainId.slice("sha256:".length, "sha256:".length + SHORT_NAME)), {
      force: true,
    });
    this.#discard(join(this.layerDirectory(chainId), ".."));
  }

  /** Out of sight at once, by one rename; the files go later. */
  #discard(directory: string): void {
    mkdirSync(this.#trash, { recursive: true, mode: 0o700 });
    renameSync(directory, join(this.#trash, randomBytes(8).toString("hex")));
  }

  rootMount(request: RootRequest): RootMount {
    if (request.lowers.length > MAX_LAYERS)
      throw new BockerError(
        "unsupported",
        `max depth exceeded: ${request.lowers.length} layers, ${MAX_LAYERS} are the limit`,
      );
    if (hasLayerOption(this.#kernel)) {
      const options: [string, string][] = request.lowers.map((lower) => ["lowerdir+", lower]);
      options.push(["upperdir", request.upper], ["workdir", request.work]);
      if (request.disposable) options.push(["volatile", ""]);
      return { kind: "fsmount", type: "overlay", options };
    }
    const lowers = request.lowers.map((lower) => this.#shortName(lower)).join(":");
    const data = `lowerdir=${lowers},upperdir=${request.upper},workdir=${request.work}${request.disposable ? ",volatile" : ""}`;
    if (Buffer.byteLength(data) > OPTION_PAGE)
      throw new BockerError(
        "unsupported",
        `the paths of ${request.lowers.length} layers do not fit into one mount on Linux ${this.#kernel}`,
      );
    return { kind: "mount", type: "overlay", directory: this.#root, data };
  }

  /** A layer's directory, relative to the driver's root and with overlay's separators escaped. */
  #shortName(lower: string): string {
    const hex = lower.startsWith(`${this.#root}/`)
      ? lower.slice(this.#root.length + 1).split("/")[0]
      : undefined;
    const short = hex === undefined ? undefined : `l/${hex.slice(0, SHORT_NAME)}`;
    const linked = short !== undefined && readlinkSync(join(this.#root, short)) === `../${hex}/diff`;
    return (linked ? short : lower).replace(/[\\:,]/g, (separator) => `\\${separator}`);
  }
}
