/** An image with its layers compressed in another way, for one push: other blobs and another manifest, the same image. */
import { type Digest, digestOf } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { inflate } from "../images/layer/inflate.ts";
import { PACKINGS, type Packing, packLayer } from "../images/layer/pack.ts";
import type { Ingest } from "../images/store.ts";
import type { PlannedLayer } from "../registry/resolve.ts";
import { parseImageManifest } from "../spec/image-manifest.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../spec/media-types.ts";
import type { ImageRecord } from "../state/images.ts";
import type { Engine } from "./engine.ts";
import { documentsOf, type ImageDocuments } from "./image-documents.ts";
import { isRestorable, layerArchive } from "./layer-archive.ts";
import { isForeign } from "./push-content.ts";
import { sourceOf } from "./unpack-ahead.ts";

export interface Repacked {
  documents: ImageDocuments;
  /** The blobs that are not in the store: the caller aborts them. */
  ingests: Map<string, Ingest>;
}

/** A layer's archive, from its blob, or from its files where it has none. */
function archiveOf(engine: Engine, chain: string, { descriptor }: PlannedLayer): AsyncIterable<Buffer> {
  if (isRestorable(engine, chain)) return layerArchive(engine, engine.driver.layerDirectory(chain));
  return inflate(sourceOf(engine.content.stream(descriptor.digest)));
}

/**
 * Packs all layers that are not packed so already. Its manifest is OCI's: Docker's has no name for zstd.
 * @throws BockerError "corrupt" for a layer that is not what it was, "interrupted"
 */
export async function repacked(
  engine: Engine,
  record: ImageRecord,
  packing: Packing,
  signal: AbortSignal,
): Promise<Repacked> {
  const documents = documentsOf(engine, record);
  const ingests = new Map<string, Ingest>();
  try {
    const layers: PlannedLayer[] = [];
    for (const [at, layer] of documents.layers.entries()) {
      if (signal.aborted) throw new BockerError("interrupted", "interrupted");
      const { descriptor, diffId } = layer;
      if (isForeign(descriptor) || descriptor.mediaType === PACKINGS[packing]) {
        layers.push(layer);
        continue;
      }
      const packed = await packLayer(archiveOf(engine, record.chain[at]!, layer), engine.content, packing);
      const { digest, size } = packed.blob;
      if (ingests.has(digest)) packed.ingest.abort();
      else ingests.set(digest, packed.ingest);
      if (packed.diffId !== diffId)
        throw new BockerError("corrupt", `the layer ${diffId} is ${packed.diffId} now: pull its image again`);
      layers.push({ diffId, descriptor: { mediaType: PACKINGS[packing], digest, size } });
    }
    return { documents: { ...documents, ...withLayers(documents, layers), layers }, ingests };
  } catch (error) {
    for (const ingest of ingests.values()) ingest.abort();
    throw error;
  }
}

function withLayers(
  { manifest, config }: ImageDocuments,
  layers: readonly PlannedLayer[],
): Pick<ImageDocuments, "manifest" | "config"> {
  const document = parseImageManifest(manifest.bytes, manifest.mediaType);
  const own = { ...config, mediaType: OCI_CONFIG };
  const changed = {
    ...document.manifest,
    mediaType: OCI_MANIFEST,
    config: own,
    layers: layers.map(({ descriptor }) => descriptor),
  };
  const bytes = Buffer.from(JSON.stringify(changed));
  const digest: Digest = digestOf(bytes);
  return { config: own, manifest: { bytes, mediaType: OCI_MANIFEST, digest } };
}
