/**
 * A tar archive on its way into the store as a compressed layer.
 *
 * Promises: both digests are computed in the same pass; nothing is held in memory but a few chunks; on
 * failure nothing is left in the store. The same archive gives the same blob.
 */

import { type Digest, digestFromHex } from "../../base/digest.ts";
import { createSha256 } from "../../base/hash.ts";
import { OCI_LAYER_GZIP, OCI_LAYER_ZSTD } from "../../spec/media-types.ts";
import type { ContentStore, ExpectedBlob, Ingest } from "../store.ts";
import { ParallelGzip } from "./parallel-gzip.ts";
import { ParallelZstd } from "./parallel-zstd.ts";

export interface PackedLayer {
  /** Of the uncompressed archive. */
  diffId: Digest;
  archiveSize: number;
  /** Of the compressed file. */
  blob: ExpectedBlob;
  /** Holds that file, complete; the caller commits or aborts it. */
  ingest: Ingest;
}

/** Bytes: the compressor works on other threads, and each of its turns costs as much as compressing some KiB. */
const BATCH = 1 << 20;

/** The same bytes in few large pieces, none of which the caller may touch again. */
export async function* batched(
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  let batch = Buffer.allocUnsafeSlow(BATCH);
  let used = 0;
  for await (const chunk of chunks)
    for (let at = 0; at < chunk.length; ) {
      const copied = chunk.copy(batch, used, at);
      at += copied;
      used += copied;
      if (used < BATCH) continue;
      yield batch;
      batch = Buffer.allocUnsafeSlow(BATCH);
      used = 0;
    }
  if (used > 0) yield batch.subarray(0, used);
}

/** How layers are compressed, and what they are called then (image-spec, layer.md). */
export const PACKINGS = { gzip: OCI_LAYER_GZIP, zstd: OCI_LAYER_ZSTD } as const;
export type Packing = keyof typeof PACKINGS;

/** Compresses `archive` into `store`. */
export async function packLayer(
  archive: Iterable<Buffer> | AsyncIterable<Buffer>,
  store: ContentStore,
  packing: Packing = "gzip",
): Promise<PackedLayer> {
  const hash = createSha256();
  const ingest = store.ingest();
  let archiveSize = 0;
  try {
    const write = (bytes: Buffer) => ingest.write(bytes);
    const compressor = packing === "gzip" ? new ParallelGzip(write) : new ParallelZstd(write);
    for await (const block of batched(archive)) {
      hash.update(block);
      archiveSize += block.length;
      await compressor.add(block);
    }
    await compressor.finish();
    return { diffId: digestFromHex(hash.digest("hex")), archiveSize, blob: ingest.verify(), ingest };
  } catch (error) {
    ingest.abort();
    throw error;
  }
}
