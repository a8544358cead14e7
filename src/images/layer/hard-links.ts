/** Hard links of a layer: to its own files, or to a file that only a lower layer has. */
import { BockerError } from "../../base/errors.ts";
import { chmodNoFollow } from "../../os/chmod.ts";
import { O_NOFOLLOW, O_PATH } from "../../os/constants.ts";
import { linkat, openat, withFd } from "../../os/files.ts";
import {
  fchownat,
  fstat,
  isDirectory,
  isSymlink,
  lsetxattr,
  pathBelow,
  statat,
  statatIfExists,
  utimensat,
} from "../../os/metadata.ts";
import { isSystemError } from "../../os/system-error.ts";
import { copyFile } from "./copy-file.ts";
import { type LayerPath, layerPath, quoted } from "./layer-path.ts";
import type { LayerRoot } from "./layer-root.ts";
import type { LowerLayers } from "./lower-layers.ts";
import type { TarEntry } from "./tar-entry.ts";
import { isOverlayAttribute, isWhiteoutDevice } from "./whiteout.ts";

export class HardLinks {
  readonly #directories: LayerRoot;
  readonly #lowers: LowerLayers;

  constructor(directories: LayerRoot, lowers: LowerLayers) {
    this.#directories = directories;
    this.#lowers = lowers;
  }

  /** Makes `path` another name of what `entry.linkName` names. Throws EEXIST as link(2) does. */
  make(path: LayerPath, entry: TarEntry): void {
    const targetPath = layerPath(entry.linkName);
    const targetName = targetPath.at(-1);
    if (targetName === undefined) throw this.#missing(entry, "is the root");
    const targetParent = this.#findTarget(targetPath, targetName, entry);
    withFd(targetParent, () => {
      const target = statat(targetParent, targetName);
      if (isDirectory(target)) throw this.#missing(entry, "is a directory");
      const parent = this.#directories.directory(path.slice(0, -1));
      const name = path.at(-1)!;
      try {
        linkat(targetParent, targetName, parent, name);
      } catch (error) {
        // Filesystems limit the number of links (65,000 on ext4): then it is a file of its own.
        if (!isSystemError(error, "EMLINK")) throw error;
        withFd(openat(targetParent, targetName, O_PATH | O_NOFOLLOW), (fd) =>
          copyFile(fd, fstat(fd), parent, name),
        );
      }
      this.#describe(parent, name, entry);
    });
  }

  /** The directory of the target, which exists there afterwards. The caller closes it. */
  #findTarget(targetPath: LayerPath, targetName: Buffer, entry: TarEntry): number {
    const parentPath = targetPath.slice(0, -1);
    const own = this.#directories.existingDirectory(parentPath);
    if (own !== undefined) {
      const stat = statatIfExists(own, targetName);
      if (stat !== undefined && !isWhiteoutDevice(stat)) return own;
      withFd(own, () => {
        if (stat !== undefined) throw this.#missing(entry, "is removed by the same layer");
      });
    }
    const lower = this.#lowers.find(targetPath);
    if (lower === undefined) throw this.#missing(entry, "does not exist");
    return withFd(lower.fd, () => {
      if (isDirectory(lower.stat)) throw this.#missing(entry, "is a directory");
      copyFile(lower.fd, lower.stat, this.#directories.directory(parentPath), targetName);
      return this.#directories.existingDirectory(parentPath)!;
    });
  }

  /**
   * Docker applies a link's own owner, mode and times to the file. They are the file's in any sane
   * archive, and chown would take away its capabilities: only differences are written.
   */
  #describe(parent: number, name: Buffer, entry: TarEntry): void {
    const stat = statat(parent, name);
    if (stat.uid !== entry.uid || stat.gid !== entry.gid) fchownat(parent, name, entry.uid, entry.gid);
    const path = pathBelow(parent, name);
    for (const [attribute, value] of entry.xattrs) {
      if (!isOverlayAttribute(attribute)) lsetxattr(path, attribute, value);
    }
    if (!isSymlink(stat) && (statat(parent, name).mode & 0o7777) !== entry.mode)
      chmodNoFollow(parent, name, entry.mode);
    utimensat(parent, name, entry.mtime, entry.mtime);
  }

  #missing(entry: TarEntry, what: string): BockerError {
    return new BockerError(
      "corrupt",
      `archive entry ${quoted(entry.name)}: the target ${quoted(entry.linkName)} of the hard link ${what}`,
    );
  }
}
