/**
 * A tar archive on its way into the store as a compressed layer.
 *
 * Promises: both digests are computed in the same pass; nothing is held in memory but a few chunks; on
 * failure nothing is left in the store. The same archive gives the same blob.
 */
import { createHash } from "node:crypto";
import { createGzip } from "node:zlib";
import { type Digest, digestFromHex } from "../../base/digest.ts";
import type { ContentStore, ExpectedBlob, Ingest } from "../store.ts";

export interface PackedLayer {
  /** Of the uncompressed archive. */
  diffId: Digest;
  archiveSize: number;
  /** Of the gzip file (application/vnd.oci.image.layer.v1.tar+gzip). */
  blob: ExpectedBlob;
  /** Holds that file, complete; the caller commits or aborts it. */
  ingest: Ingest;
}

/** Compresses `archive` into `store`. `tee`, if given, sees every uncompressed chunk, e.g. to apply it. */
export async function packLayer(
  archive: Iterable<Buffer> | AsyncIterable<Buffer>,
  store: ContentStore,
  tee?: (chunk: Buffer) => void,
): Promise<PackedLayer> {
  const hash = createHash("sha256");
  const gzip = createGzip({ chunkSize: 1 << 18 });
  const ingest = store.ingest();
  let archiveSize = 0;
  const written = (async () => {
    for await (const chunk of gzip) ingest.write(chunk as Buffer);
  })();
  // Whoever fails first ends the other: the rejection is seen at the await below.
  written.catch(() => gzip.destroy());
  try {
    for await (const chunk of archive) {
      hash.update(chunk);
      archiveSize += chunk.length;
      tee?.(chunk);
      if (!gzip.write(chunk)) {
        await Promise.race([new Promise((resolve) => gzip.once("drain", resolve)), written]);
      }
    }
    gzip.end();
    await written;
    return { diffId: digestFromHex(hash.digest("hex")), archiveSize, blob: ingest.verify(), ingest };
  } catch (error) {
    gzip.destroy();
    await written.catch(() => undefined);
    ingest.abort();
    throw error;
  }
}
