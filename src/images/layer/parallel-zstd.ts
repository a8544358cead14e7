/**
 * zstd on several processors: each block is a frame, and frames follow each other (RFC 8878, 3).
 *
 * Promises: the same blocks give the same bytes, however many processors there are; no more than a few blocks are held.
 */
import * as zlib from "node:zlib";
import { BockerError } from "../../base/errors.ts";
import { type BlockCompressor, ParallelBlocks } from "./parallel-blocks.ts";

/** zstd's own default. */
const LEVEL = 3;

function compressed(block: Buffer): Promise<Buffer> {
  const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag } = zlib.constants;
  const params = { [ZSTD_c_compressionLevel]: LEVEL, [ZSTD_c_checksumFlag]: 1 };
  return new Promise((resolve, reject) => {
    zlib.zstdCompress(block, { params }, (error, bytes) => (error === null ? resolve(bytes) : reject(error)));
  });
}

export class ParallelZstd implements BlockCompressor {
  readonly #blocks: ParallelBlocks;

  /**
   * @param write gets the stream in pieces, in order; what it throws comes out of `add` and `finish`
   * @throws BockerError "platform" on a runtime without zstd
   */
  constructor(write: (bytes: Buffer) => void) {
    if (typeof zlib.zstdCompress !== "function")
      throw new BockerError("platform", "this Node.js has no zstd: use 22.15 or newer");
    this.#blocks = new ParallelBlocks(write);
  }

  async add(block: Buffer): Promise<void> {
    this.#blocks.begin(compressed(block));
    await this.#blocks.room();
  }

  finish(): Promise<void> {
    return this.#blocks.finish();
  }
}
