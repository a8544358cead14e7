/** An index whose documents are known gets its content, its record and its names: `pull` and `load` of several platforms. */
import type { ImagePlan } from "../registry/resolve.ts";
import type { EntryPlan, IndexPlan } from "../registry/resolve-index.ts";
import type { ImageRecord } from "../state/images.ts";
import { type IndexEntry, type IndexRecord, IndexTable } from "../state/indexes.ts";
import type { Engine } from "./engine.ts";
import { withImageLock } from "./image-lock.ts";
import type { LayerStack } from "./layers.ts";
import type { PackedContent } from "./packed-content.ts";
import { publish } from "./publish.ts";
import {
  type ImageNames,
  nameImage,
  packedOtherwise,
  recordOf,
  VANISHED_MAX,
  vanished,
} from "./store-image.ts";

export interface IndexToStore {
  plan: IndexPlan;
  /** All of its blobs but the configurations. */
  content: PackedContent;
  /** The name's image: one of the index with its layers, or the id of one that has been unpacked before. */
  image: { plan: ImagePlan; stack: LayerStack } | string;
}

function entryOf({ fetched, blobs, image }: EntryPlan): IndexEntry {
  const { digest, mediaType } = fetched;
  return {
    digest,
    mediaType,
    blobs: blobs.map((blob) => blob.digest),
    ...(image === undefined ? {} : { image: { id: image.plan.config.digest, platform: image.platform } }),
  };
}

/** With what was here of it before. An index comes behind what it lists. */
function mergedRecord(engine: Engine, { top, entries }: IndexPlan): IndexRecord {
  const own = entries.map(entryOf);
  const before = new IndexTable(engine.database).get(top.digest)?.entries ?? [];
  const others = before.filter(({ digest }) => own.every((entry) => entry.digest !== digest));
  const { digest, mediaType, bytes } = top;
  return { digest, mediaType, size: bytes.length, entries: [...own, ...others] };
}

function documentsOf({ top, entries }: IndexPlan): Uint8Array[] {
  const configs = entries.flatMap(({ image }) => (image === undefined ? [] : [image.plan.config.bytes]));
  return [...configs, ...entries.map(({ fetched }) => fetched.bytes), top.bytes];
}

/**
 * Fetches and publishes all of `plan`, unpacks the name's image, and records the index under its names, at once. The caller
 * aborts stack and content after a failure.
 */
export async function storeIndex(
  engine: Engine,
  { plan, content, image }: IndexToStore,
  names: ImageNames,
): Promise<ImageRecord> {
  const { images } = engine;
  const documents = documentsOf(plan);
  const recordNames = (record: ImageRecord) => {
    new IndexTable(engine.database).set(mergedRecord(engine, plan));
    nameImage(engine, record.id, names, plan.top.digest);
  };
  for (let attempt = 0; attempt < VANISHED_MAX; attempt++) {
    const present =
      typeof image === "string"
        ? images.get(image)
        : withImageLock(engine, () => packedOtherwise(engine, image.plan));
    if (present !== undefined || typeof image === "string") {
      if (present === undefined) break;
      await content.fetch(new Set());
      const isPublished = withImageLock(engine, () => {
        if (!content.isWhole() || images.get(present.id) === undefined) return false;
        publish(engine, { layers: [], blobs: content.ingests, documents }, () => recordNames(present));
        return true;
      });
      if (isPublished) return present;
      continue;
    }
    await content.fetch(new Set(image.plan.layers.map(({ descriptor }) => descriptor.digest)));
    await image.stack.prepare();
    const record = recordOf(image.plan, image.stack);
    const isPublished = image.stack.publish(
      documents,
      () => {
        images.insert(record);
        recordNames(record);
      },
      content,
    );
    if (isPublished) return record;
  }
  throw vanished();
}
