/** What refers to what: layers and blobs that somebody needs. Everything that removes either asks here. */
import type { ImageRecord } from "../state/images.ts";
import { type IndexRecord, IndexTable } from "../state/indexes.ts";
import type { Engine } from "./engine.ts";

export interface References {
  /** Chain ids of the layers of all images. */
  layers: ReadonlySet<string>;
  /** Directories of the layers that containers lie upon: a container keeps them when its image goes. */
  directories: ReadonlySet<string>;
  /** Digests of configurations, manifests and layers' blobs of all images, and of all that indexes keep. */
  blobs: ReadonlySet<string>;
}

/** Digests of all that an image has in the content store. */
export function contentOf({ id, manifest, blobs }: ImageRecord): string[] {
  return [id, ...blobs, ...(manifest === undefined ? [] : [manifest])];
}

/** Digests of all that is kept of an index. */
export function contentOfIndex({ digest, entries }: IndexRecord): string[] {
  return [digest, ...entries.flatMap((entry) => [entry.digest, ...entry.blobs])];
}

/**
 * Hold the lock of all images (image-lock.ts) as long as the answer has to be true.
 * @param without ids of containers that are thought away
 */
export function readReferences(engine: Engine, without: ReadonlySet<string> = new Set()): References {
  const images = engine.images.list();
  const containers = engine.containers.list().filter(({ id }) => !without.has(id));
  return {
    layers: new Set(images.flatMap(({ chain }) => chain)),
    directories: new Set(containers.flatMap(({ layers }) => layers)),
    blobs: new Set([
      ...images.flatMap(contentOf),
      ...new IndexTable(engine.database).list().flatMap(contentOfIndex),
    ]),
  };
}
