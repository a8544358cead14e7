/** What refers to what: layers and blobs that somebody needs. Everything that removes either asks here. */
import type { ContainerRecord } from "../spec/container.ts";
import { readableRecords } from "../state/damaged.ts";
import type { ImageRecord } from "../state/images.ts";
import { type IndexRecord, IndexTable } from "../state/indexes.ts";
import { idsMentioning } from "../state/mentions.ts";
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

/** What somebody asks about. Then only who refers to that has to be read. */
export interface Sought {
  /** Digests, and chain ids. */
  digests: readonly string[];
  /** Of layers. */
  directories: readonly string[];
}

/** The records of these ids, but for those that are damaged: as in a list they must not stop work on the others. */
function readable<T>(ids: readonly string[], get: (id: string) => T | undefined): T[] {
  const rows = ids.map((id) => ({ id }));
  return readableRecords(rows, ({ id }) => get(String(id))).filter((record) => record !== undefined);
}

function imagesWith(engine: Engine, sought: Sought | undefined): ImageRecord[] {
  const ids = sought && idsMentioning(engine.database, "images", sought.digests);
  return ids === undefined ? engine.images.list() : readable(ids, (id) => engine.images.get(id));
}

function containersWith(engine: Engine, sought: Sought | undefined): ContainerRecord[] {
  const ids = sought && idsMentioning(engine.database, "containers", sought.directories);
  return ids === undefined ? engine.containers.list() : readable(ids, (id) => engine.containers.get(id));
}

/**
 * Hold the lock of all images (image-lock.ts) as long as the answer has to be true.
 * @param without ids of containers that are thought away
 * @param sought what else is referred to may be left out
 */
export function readReferences(
  engine: Engine,
  without: ReadonlySet<string> = new Set(),
  sought?: Sought,
): References {
  const images = imagesWith(engine, sought);
  const containers = containersWith(engine, sought).filter(({ id }) => !without.has(id));
  return {
    layers: new Set(images.flatMap(({ chain }) => chain)),
    directories: new Set(containers.flatMap(({ layers }) => layers)),
    blobs: new Set([
      ...images.flatMap(contentOf),
      ...new IndexTable(engine.database).list().flatMap(contentOfIndex),
    ]),
  };
}
