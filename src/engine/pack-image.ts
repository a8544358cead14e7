/**
 * An image that was made here gets its layers packed when it leaves: until then they are files only, and each is on the disk
 * once. The layers get blobs, the image a manifest that names them. Its id, which is its configuration's, stays.
 */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { packLayer } from "../images/layer/pack.ts";
import type { Ingest } from "../images/store.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { parseImageConfig } from "../spec/image-config.ts";
import { type ImageManifest, parseImageManifest } from "../spec/image-manifest.ts";
import { OCI_LAYER_GZIP } from "../spec/media-types.ts";
import type { ImageRecord } from "../state/images.ts";
import type { Engine } from "./engine.ts";
import { withImageLock } from "./image-lock.ts";
import { isRestorable, layerArchive } from "./layer-archive.ts";
import { readReferences } from "./references.ts";

/** How often the image may be packed by others meanwhile. */
const ATTEMPTS_MAX = 5;

/** Places of an image's layers that have no blob here but can have one. */
function unpacked(engine: Engine, record: ImageRecord, manifest: ImageManifest): number[] {
  return manifest.layers.flatMap(({ digest }, at) =>
    engine.content.size(digest) === undefined && isRestorable(engine, record.chain[at]!) ? [at] : [],
  );
}

async function packed(
  engine: Engine,
  chain: string,
  diffId: Digest,
): Promise<{ descriptor: Descriptor; ingest: Ingest }> {
  const layer = await packLayer(layerArchive(engine, engine.driver.layerDirectory(chain)), engine.content);
  const { digest, size } = layer.blob;
  if (layer.diffId === diffId)
    return { descriptor: { mediaType: OCI_LAYER_GZIP, digest, size }, ingest: layer.ingest };
  layer.ingest.abort();
  throw new BockerError(
    "corrupt",
    `the files of layer ${diffId} have been changed since it was made: what they are packed to is ${layer.diffId}`,
  );
}

/** Publishes the blobs and the manifest; false where another process has packed the image, or removed it. */
function publishPacked(
  engine: Engine,
  record: ImageRecord,
  manifest: ImageManifest,
  ingests: readonly Ingest[],
): ImageRecord | undefined {
  return withImageLock(engine, () => {
    const current = engine.images.get(record.id);
    if (current === undefined || current.manifest !== record.manifest) return undefined;
    for (const ingest of ingests) ingest.commit();
    const { digest } = engine.content.add(Buffer.from(JSON.stringify(manifest)));
    const blobs = manifest.layers.map((layer) => layer.digest);
    const changed: ImageRecord = { ...current, manifest: digest, blobs };
    engine.transaction(() => engine.images.insert(changed));
    if (!readReferences(engine).blobs.has(record.manifest!)) engine.content.remove(record.manifest as Digest);
    return changed;
  });
}

/**
 * The record of the image, all of whose layers that can be packed are.
 * @throws BockerError "corrupt" for layers whose files have been changed, "no-space", "interrupted"
 */
async function packImage(engine: Engine, id: string, signal?: AbortSignal): Promise<ImageRecord> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = engine.images.get(id);
    if (record === undefined) throw new BockerError("not-found", `No such image: ${id}`);
    if (record.manifest === undefined) return record;
    const { manifest } = parseImageManifest(engine.content.read(record.manifest as Digest));
    const places = unpacked(engine, record, manifest);
    if (places.length === 0) return record;
    const diffIds = parseImageConfig(engine.content.read(record.id as Digest)).rootfs.diff_ids ?? [];
    const ingests: Ingest[] = [];
    try {
      const layers = [...manifest.layers];
      for (const at of places) {
        if (signal?.aborted === true) throw new BockerError("interrupted", "interrupted");
        const { descriptor, ingest } = await packed(engine, record.chain[at]!, diffIds[at] as Digest);
        ingests.push(ingest);
        layers[at] = descriptor;
      }
      const changed = publishPacked(engine, record, { ...manifest, layers }, ingests);
      if (changed !== undefined) return changed;
    } finally {
      for (const ingest of ingests) ingest.abort();
    }
  }
  throw new BockerError("conflict", `image ${id} is changed again and again by another process`);
}

/** The same image, packed first where its layers have no blobs. Throws as packImage. */
export async function withBlobs(
  engine: Engine,
  record: ImageRecord,
  signal?: AbortSignal,
): Promise<ImageRecord> {
  const isWhole = record.blobs.every((digest) => engine.content.size(digest as Digest) !== undefined);
  return isWhole ? record : packImage(engine, record.id, signal);
}
