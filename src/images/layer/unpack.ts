/**
 * A compressed layer, in one pass: stored as a blob, verified, and applied to a directory.
 *
 * Promises: when it resolves, the blob is durable in `store`, its size, its digest and the digest of
 * the uncompressed archive are what was expected, and the directory holds the layer (not yet synced).
 * When it rejects, the blob is not in the store through this call and the directory is empty.
 */

import { type Digest, digestFromHex } from "../../base/digest.ts";
import { BockerError } from "../../base/errors.ts";
import { createSha256 } from "../../base/hash.ts";
import { emptyDirectory } from "../../os/remove-tree.ts";
import type { ContentStore, ExpectedBlob, Ingest } from "../store.ts";
import { type ApplyOptions, LayerApplier } from "./apply.ts";
import { CountingSink } from "./counting-sink.ts";
import { inflate } from "./inflate.ts";
import { TarReader } from "./tar-reader.ts";

/** Docker's words for what happens to a layer. */
export type LayerPhase = "Downloading" | "Extracting" | "Pull complete";

/** `current` is in compressed bytes; called often. */
export type LayerProgress = (phase: LayerPhase, current: number, total: number) => void;

export interface UnpackRequest extends ApplyOptions {
  /** The compressed bytes, all of them. */
  source: AsyncIterable<Uint8Array>;
  expected: ExpectedBlob;
  /** The digest of the uncompressed archive; undefined for what `docker import` reads. */
  diffId?: Digest;
  /** An empty directory (O_RDONLY), the caller's to close and to sync. */
  directory: number;
  /** Where the bytes are published as a blob; leave out to apply what is in the store already. */
  store?: ContentStore;
  /** Instead of `store`: gets the bytes, and stays the caller's to commit or to abort. */
  ingest?: Ingest;
  progress?: LayerProgress;
  signal?: AbortSignal;
}

export interface UnpackedLayer {
  diffId: Digest;
  /** Bytes of the uncompressed archive. */
  archiveSize: number;
  /** Bytes of regular files, holes included: what `docker history` shows. */
  size: number;
}

/** The source, written to `ingest` on its way. */
async function* stored(
  request: UnpackRequest,
  ingest: Ingest | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  const { expected, progress, signal } = request;
  let current = 0;
  for await (const chunk of request.source) {
    if (signal?.aborted === true) throw new BockerError("interrupted", "interrupted");
    ingest?.write(chunk);
    current += chunk.length;
    progress?.("Downloading", current, expected.size);
    yield chunk;
  }
  progress?.("Extracting", expected.size, expected.size);
}

/** See the top of this file. */
export async function unpackLayer(request: UnpackRequest): Promise<UnpackedLayer> {
  const counting = new CountingSink(new LayerApplier(request.directory, request));
  const reader = new TarReader(counting);
  const hash = createSha256();
  const own = request.store?.ingest(request.expected);
  const ingest = request.ingest ?? own;
  let archiveSize = 0;
  try {
    for await (const chunk of inflate(stored(request, ingest))) {
      hash.update(chunk);
      archiveSize += chunk.length;
      reader.write(chunk);
    }
    reader.finish();
    counting.finish();
    // First what the transfer is to blame for, then what the image is.
    ingest?.verify();
    const diffId = digestFromHex(hash.digest("hex"));
    if (request.diffId !== undefined && diffId !== request.diffId) {
      throw new BockerError(
        "corrupt",
        `the layer's diff id is ${diffId}, but its image says ${request.diffId}`,
      );
    }
    own?.commit();
    request.progress?.("Pull complete", request.expected.size, request.expected.size);
    return { diffId, archiveSize, size: counting.size };
  } catch (error) {
    counting.close();
    emptyDirectory(request.directory);
    own?.abort();
    throw error;
  }
}
