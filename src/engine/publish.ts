/**
 * The moment when layers, blobs and documents get their names: all or nothing. The caller holds the lock of
 * all images, and has seen to it that the files of the layers are on disk.
 */
import type { Digest } from "../base/digest.ts";
import type { UnpackedLayer } from "../images/layer/unpack.ts";
import type { Ingest } from "../images/store.ts";
import type { Engine } from "./engine.ts";

export interface UnpublishedLayer {
  chain: Digest;
  /** What the driver began. */
  directory: string;
  /** undefined where the blob is in the store already. */
  ingest: Ingest | undefined;
  unpacked: UnpackedLayer;
}

type Undo = (() => void)[];

function publishBlob(engine: Engine, ingest: Ingest, undo: Undo): void {
  const { content } = engine;
  const { digest } = ingest.verify();
  if (content.size(digest) === undefined) undo.push(() => content.remove(digest));
  ingest.commit();
}

function publishDocument(engine: Engine, bytes: Uint8Array, undo: Undo): void {
  const ingest = engine.content.ingest();
  try {
    ingest.write(bytes);
    publishBlob(engine, ingest, undo);
  } catch (error) {
    ingest.abort();
    throw error;
  }
}

function publishLayer(engine: Engine, { chain, directory }: UnpublishedLayer, undo: Undo): void {
  const { driver } = engine;
  if (!driver.hasLayer(chain)) undo.push(() => driver.removeLayer(chain));
  driver.commitLayer(directory, chain);
}

/** What gets its name. */
export interface Unpublished {
  layers: readonly UnpublishedLayer[];
  /** Complete blobs that stay packed. */
  blobs?: readonly Ingest[];
  /** Manifests and configurations. */
  documents: readonly Uint8Array[];
}

/**
 * Publishes blobs, documents and layers, then records the layers in one transaction, in which `record` is called, too.
 * After a failure everything is as it was.
 */
export function publish(
  engine: Engine,
  { layers, blobs = [], documents }: Unpublished,
  record: () => void,
): void {
  const undo: Undo = [];
  try {
    for (const { ingest } of layers) if (ingest !== undefined) publishBlob(engine, ingest, undo);
    for (const ingest of blobs) publishBlob(engine, ingest, undo);
    for (const bytes of documents) publishDocument(engine, bytes, undo);
    for (const layer of layers) publishLayer(engine, layer, undo);
    engine.transaction(() => {
      for (const { chain, unpacked } of layers)
        engine.images.addLayer({ chain, diff: unpacked.diffId, size: unpacked.size });
      record();
    });
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}
