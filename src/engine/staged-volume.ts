/**
 * A volume's directory before it has its name. It is made beside the others, and filled without their lock, since that may
 * take long: its maker holds an flock on it meanwhile, without which it is a crash's.
 */
import { randomBytes } from "../base/random.ts";
import {
  AT_FDCWD,
  LOCK_EX,
  LOCK_NB,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
} from "../os/constants.ts";
import { close, flock, openat, renameat2, withFd } from "../os/files.ts";
import { makeDirectories, syncDirectory, syncFilesystem } from "../os/host-files.ts";
import { isSystemError } from "../os/system-error.ts";
import { lock } from "../state/locks.ts";
import type { Paths } from "../state/paths.ts";
import { volumeLock } from "../state/volumes.ts";
import { discardVolumes } from "./volumes.ts";

const TEMPORARY = ".new-";

const open = (path: string) => openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

/** Is a volume being made in this directory? */
export function isStaged(paths: Paths, name: string): boolean {
  if (!name.startsWith(TEMPORARY)) return false;
  try {
    return withFd(open(`${paths.volumes}/${name}`), (fd) => !flock(fd, LOCK_EX | LOCK_NB));
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return false;
    throw error;
  }
}

export class StagedVolume {
  readonly #paths: Paths;
  readonly #name = `${TEMPORARY}${randomBytes(8).toString("hex")}`;
  readonly #directory: string;
  readonly #fd: number;

  constructor(paths: Paths) {
    this.#paths = paths;
    this.#directory = `${paths.volumes}/${this.#name}`;
    const held = lock(paths.locks, volumeLock(this.#name));
    try {
      makeDirectories(this.#directory, 0o701);
      this.#fd = open(this.#directory);
      flock(this.#fd, LOCK_EX);
    } finally {
      held.release();
    }
  }

  /** Where its files are to be; not there yet. */
  get files(): string {
    return `${this.#directory}/_data`;
  }

  /** Everything that is in it is on the disk when this returns. */
  sync(): void {
    syncFilesystem(this.#directory);
  }

  /** Gives it its name, which no directory has. The caller holds that volume's lock. */
  place(name: string): void {
    renameat2(AT_FDCWD, this.#directory, AT_FDCWD, `${this.#paths.volumes}/${name}`, RENAME_NOREPLACE);
    syncDirectory(this.#paths.volumes);
  }

  /** Takes the place of a volume's directory, which is discarded with this then. The caller holds that volume's lock. */
  exchange(name: string): void {
    renameat2(AT_FDCWD, this.#directory, AT_FDCWD, `${this.#paths.volumes}/${name}`, RENAME_EXCHANGE);
    syncDirectory(this.#paths.volumes);
  }

  /** Ends it: what is left under its first name goes. */
  discard(): void {
    close(this.#fd);
    discardVolumes(this.#paths, [this.#name]);
  }
}
