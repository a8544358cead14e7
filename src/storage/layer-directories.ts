/**
 * The directories that layers lie in, the same for every driver: ROOT/HEX/diff, and ROOT/.tmp-X/diff until a layer is
 * complete. A name shows by one rename, and goes by one, and what lies beside `diff` with it.
 */
import { randomBytes } from "../base/random.ts";
import { AT_FDCWD, LOCK_EX, LOCK_NB, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../os/constants.ts";
import { flock, fsync, openat, withFd } from "../os/files.ts";
import { exists, listNames, makeDirectories, rename } from "../os/host-files.ts";
import { removeTree } from "../os/remove-tree.ts";
import { isSystemError } from "../os/system-error.ts";

const TEMPORARY = ".tmp-";
const LAYER = /^[0-9a-f]{64}$/;

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

export class LayerDirectories {
  readonly root: string;
  readonly #trash: string;

  /** @param root where the layers are; `trash` takes what is removed, on the same filesystem */
  constructor(root: string, trash: string) {
    this.root = root;
    this.#trash = trash;
  }

  #chainDirectory(chainId: string): string {
    return `${this.root}/${chainId.slice("sha256:".length)}`;
  }

  layerDirectory(chainId: string): string {
    return `${this.#chainDirectory(chainId)}/diff`;
  }

  splitPath(directory: string): string {
    return `${parentOf(directory)}/split`;
  }

  hasLayer(chainId: string): boolean {
    return exists(this.layerDirectory(chainId));
  }

  /** Where a new layer's directory is to be made. */
  begin(): string {
    const directory = `${this.root}/${TEMPORARY}${randomBytes(8).toString("hex")}`;
    makeDirectories(directory, 0o710);
    return `${directory}/diff`;
  }

  commitLayer(directory: string, chainId: string): void {
    try {
      rename(parentOf(directory), this.#chainDirectory(chainId));
    } catch (error) {
      if (!this.hasLayer(chainId)) throw error;
      // The same layer, which came in another way.
      const [own, other] = [directory, this.layerDirectory(chainId)].map((path) => this.splitPath(path));
      if (exists(own!) && !exists(other!)) rename(own!, other!);
      this.abortLayer(directory);
    }
    withFd(openat(AT_FDCWD, this.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fsync);
  }

  abortLayer(directory: string): void {
    this.#removeTemporary(parentOf(directory).slice(this.root.length + 1));
  }

  #names(): string[] {
    return exists(this.root) ? listNames(this.root) : [];
  }

  layers(): string[] {
    return this.#names()
      .filter((name) => LAYER.test(name))
      .map((hex) => `sha256:${hex}`);
  }

  staleLayers(): string[] {
    const names = this.#names().filter((name) => name.startsWith(TEMPORARY));
    return names.filter((name) => {
      try {
        const fd = openat(AT_FDCWD, `${this.root}/${name}/diff`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        return withFd(fd, () => flock(fd, LOCK_EX | LOCK_NB));
      } catch (error) {
        // Killed between making the two directories.
        if (isSystemError(error, "ENOENT")) return true;
        throw error;
      }
    });
  }

  removeStaleLayers(): number {
    const stale = this.staleLayers();
    for (const name of stale) this.#removeTemporary(name);
    return stale.length;
  }

  #removeTemporary(name: string): void {
    withFd(openat(AT_FDCWD, this.root, O_RDONLY | O_DIRECTORY), (root) => removeTree(root, name));
  }

  /** Out of sight at once, by one rename; the files go later. */
  removeLayer(chainId: string): void {
    makeDirectories(this.#trash, 0o700);
    rename(this.#chainDirectory(chainId), `${this.#trash}/${randomBytes(8).toString("hex")}`);
  }
}
