/** Whiteout entries of a layer, carried out: as overlayfs marks, or by removing what they name. */
import { BockerError } from "../../base/errors.ts";
import { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, S_IFCHR } from "../../os/constants.ts";
import { close, mknodat, openat, withFd } from "../../os/files.ts";
import { fsetxattr, isDirectory, type Stat, statatIfExists } from "../../os/metadata.ts";
import { removeTree } from "../../os/remove-tree.ts";
import { walkTree } from "../../os/tree-walk.ts";
import type { ApplyOptions } from "./apply.ts";
import { type LayerPath, pathBytes, quoted } from "./layer-path.ts";
import type { LayerRoot } from "./layer-root.ts";
import { isWhiteoutDevice, OPAQUE_NAME, OPAQUE_VALUE, WHITEOUT_PREFIX } from "./whiteout.ts";

export class Whiteouts {
  readonly #directories: LayerRoot;
  readonly #mode: ApplyOptions["mode"];
  readonly #opaqueAttribute: string;
  /** In mode "rootfs": what this layer brought, and the directories above, which its own whiteouts do not touch. */
  readonly #kept = new Set<string>();

  constructor(directories: LayerRoot, options: ApplyOptions) {
    this.#directories = directories;
    this.#mode = options.mode;
    this.#opaqueAttribute = options.opaqueAttribute ?? "trusted.overlay.opaque";
  }

  isOpaqueName(path: LayerPath): boolean {
    return path.at(-1)!.equals(OPAQUE_NAME);
  }

  /** Remembers that this layer has an entry at `path`. */
  keep(path: LayerPath): void {
    if (this.#mode !== "rootfs") return;
    const key = keyOf(path);
    for (
      let end = key.length;
      end > 0 && !this.#kept.has(key.slice(0, end));
      end = key.lastIndexOf("/", end - 1)
    )
      this.#kept.add(key.slice(0, end));
  }

  makeOpaque(fd: number): void {
    fsetxattr(fd, this.#opaqueAttribute, OPAQUE_VALUE);
  }

  /** True for a whiteout that an entry of the same layer left, in the form of this mode. */
  isWhiteout(existing: Stat): boolean {
    return this.#mode === "layer" && isWhiteoutDevice(existing);
  }

  /** Carries out the entry `path`, whose last component starts with ".wh.". */
  apply(path: LayerPath): void {
    const parentPath = path.slice(0, -1);
    if (this.isOpaqueName(path)) {
      if (this.#mode === "layer") this.#opaqueDirectory(parentPath);
      else this.#emptyDirectory(parentPath);
      return;
    }
    const name = path.at(-1)!.subarray(WHITEOUT_PREFIX.length);
    const text = name.toString("latin1");
    if (text === "" || text === "." || text === "..") {
      throw new BockerError("corrupt", `archive entry ${quoted(pathBytes(path))} hides nothing`);
    }
    if (this.#mode === "layer") this.#hide(parentPath, name);
    else this.#remove(parentPath, name);
  }

  #opaqueDirectory(path: LayerPath): void {
    const parent = this.#directories.directory(path);
    withFd(openat(parent, ".", O_RDONLY | O_DIRECTORY), (fd) => this.makeOpaque(fd));
  }

  /** Whiteouts concern lower layers only: what this layer has at that name stays, but hides the rest. */
  #hide(parentPath: LayerPath, name: Buffer): void {
    const parent = this.#directories.directory(parentPath);
    const existing = statatIfExists(parent, name);
    if (existing === undefined) {
      mknodat(parent, name, S_IFCHR, 0, 0);
    } else if (isDirectory(existing)) {
      const fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      withFd(fd, () => this.makeOpaque(fd));
    }
  }

  /** What this layer has at that name, or below it, stays; everything else there goes. */
  #remove(parentPath: LayerPath, name: Buffer): void {
    const parent = this.#directories.existingDirectory(parentPath);
    if (parent === undefined) return;
    const path = [...parentPath, name];
    withFd(parent, () => {
      const existing = statatIfExists(parent, name);
      if (!this.#kept.has(keyOf(path))) removeTree(parent, name);
      else if (existing !== undefined && isDirectory(existing)) this.#emptyDirectory(path);
    });
    this.#directories.forget();
  }

  /** Removes what earlier layers left in a directory, and keeps what this one put there. */
  #emptyDirectory(path: LayerPath): void {
    const parent = this.#directories.existingDirectory(path);
    if (parent === undefined) return;
    const prefix = path.length === 0 ? "" : `${keyOf(path)}/`;
    try {
      for (const step of walkTree(parent)) {
        if (step.leaving || this.#kept.has(prefix + step.path.toString("latin1"))) continue;
        step.descend = false;
        removeTree(step.dirfd, step.name);
      }
    } finally {
      close(parent);
    }
    this.#directories.forget();
  }
}

function keyOf(path: LayerPath): string {
  return pathBytes(path).toString("latin1");
}
