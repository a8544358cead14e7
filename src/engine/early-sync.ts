/**
 * What is unpacked goes to the disk while more is still coming, so that the sync at the end, which alone promises anything,
 * finds little left to do.
 */
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { openat, syncfsAsync, withFdAsync } from "../os/files.ts";

/** Bytes that are worth it. */
const STEP = 64 << 20;

export class EarlySync {
  readonly #directory: string;
  /** Bytes since it was begun last. */
  #written = 0;
  #running: Promise<void> | undefined;
  #failure: unknown;

  /** @param directory on the filesystem that is written to */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** So many bytes have been written. */
  written(bytes: number): void {
    this.#written += bytes;
    if (this.#written < STEP || this.#running !== undefined) return;
    this.#written = 0;
    this.#running = this.#sync();
  }

  async #sync(): Promise<void> {
    try {
      await withFdAsync(openat(AT_FDCWD, this.#directory, O_RDONLY | O_DIRECTORY), syncfsAsync);
    } catch (error) {
      this.#failure ??= error;
    }
    this.#running = undefined;
  }

  /** Waits for what has been begun. Throws what the disk said: the kernel says it once, so that a later sync would not hear of it. */
  async end(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
  }
}
