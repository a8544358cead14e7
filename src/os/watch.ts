/** Waiting until something in a directory changes (inotify). */
import { O_CLOEXEC, O_NONBLOCK, POLLIN } from "./constants.ts";
import { close, read } from "./files.ts";
import { native } from "./native.ts";
import { pollAsync } from "./processes.ts";
import { isSystemError } from "./system-error.ts";

/** What is written, made, renamed and removed (IN_MODIFY, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE). */
const CHANGES = 0x2 | 0x40 | 0x80 | 0x100 | 0x200;
/** Looked again after so many milliseconds where the kernel tells nothing. */
const BLIND_MS = 500;
/** The longest that poll takes. */
const LONGEST_MS = 2 ** 31 - 1;

/** Not node:fs, whose watch passes over a change that comes soon after one like it (Bun). */
export class DirectoryWatch {
  readonly #fd: number;
  readonly #isBlind: boolean;
  readonly #news = Buffer.alloc(1 << 16);

  /** What changes from now on is noticed, while nobody waits, too. */
  constructor(directory: string) {
    this.#fd = native().inotifyInit(O_CLOEXEC | O_NONBLOCK);
    // The directory is gone, or the machine has no more watches.
    this.#isBlind = this.#fd < 0 || native().inotifyAddWatch(this.#fd, directory, CHANGES) < 0;
  }

  /** Resolves when something has changed since the last call, and at the latest after `limit` milliseconds. */
  async changed(limit = LONGEST_MS): Promise<void> {
    const patience = Math.max(0, Math.min(limit, this.#isBlind ? BLIND_MS : LONGEST_MS));
    await pollAsync(this.#isBlind ? [] : [{ fd: this.#fd, events: POLLIN }], patience);
    if (!this.#isBlind) this.#forget();
  }

  /** What is looked at after this need not be told again. */
  #forget(): void {
    try {
      while (read(this.#fd, this.#news) > 0);
    } catch (error) {
      if (!isSystemError(error, "EAGAIN")) throw error;
    }
  }

  close(): void {
    if (this.#fd >= 0) close(this.#fd);
  }
}
