/**
 * Whether every name in an archive stands for a place of its own: none twice, none by way of a symlink, none in the place of
 * another's directory. Then what each entry wrote is still there when all have been applied to an empty directory.
 */
import { type LayerPath, pathBytes } from "./layer-path.ts";

/** Names are kept in memory until there are so many; then it is not known. */
const NAMES_MAX = 500_000;
const SLASH = "/";

export class DistinctNames {
  readonly #directories = new Set<string>();
  /** Of entries that are no directories. */
  readonly #others = new Set<string>();
  #isBroken = false;

  add(path: LayerPath, isDirectory: boolean): void {
    if (this.#isBroken || path.length === 0) return;
    const name = pathBytes(path).toString("latin1");
    const isTaken = this.#others.has(name) || (!isDirectory && this.#directories.has(name));
    (isDirectory ? this.#directories : this.#others).add(name);
    if (isTaken || !this.#addParents(name) || this.#directories.size + this.#others.size > NAMES_MAX) {
      this.#isBroken = true;
      this.#directories.clear();
      this.#others.clear();
    }
  }

  /** False where one of them is no directory. */
  #addParents(name: string): boolean {
    for (let end = name.lastIndexOf(SLASH); end > 0; end = name.lastIndexOf(SLASH, end - 1)) {
      const parent = name.slice(0, end);
      if (this.#directories.has(parent)) return true;
      if (this.#others.has(parent)) return false;
      this.#directories.add(parent);
    }
    return true;
  }

  /** False also where there were too many to know. */
  get areDistinct(): boolean {
    return !this.#isBroken;
  }
}
