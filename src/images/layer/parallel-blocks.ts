/** Blocks that are compressed side by side, by the runtime's threads, and written in their order. */

/** That are being compressed or wait to be written: more than the runtime's threads take at once. */
const BLOCKS_MAX = 8;

export class ParallelBlocks {
  readonly #write: (bytes: Buffer) => void;
  readonly #blocks: Promise<Buffer>[] = [];

  /** What `write` throws comes out of `add` and `finish`. */
  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  begin(block: Promise<Buffer>): void {
    // Nobody waits for the others once one has failed.
    block.catch(() => undefined);
    this.#blocks.push(block);
  }

  /** Resolves when the next one may begin. */
  async room(): Promise<void> {
    while (this.#blocks.length >= BLOCKS_MAX) await this.#writeNext();
  }

  async finish(): Promise<void> {
    while (this.#blocks.length > 0) await this.#writeNext();
  }

  async #writeNext(): Promise<void> {
    this.#write(await this.#blocks.shift()!);
  }
}

/** What a compressor of a layer's archive does: blocks in, a stream out. */
export interface BlockCompressor {
  /** Adds a block, of a megabyte or so, that the caller does not touch again. Resolves when the next one may come. */
  add(block: Buffer): Promise<void>;
  finish(): Promise<void>;
}
