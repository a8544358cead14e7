/** An image whose documents are known gets its layers, its record and its names: the end of `pull` and of `load`. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import type { ImagePlan } from "../registry/resolve.ts";
import type { ImageRecord } from "../state/images.ts";
import type { Engine } from "./engine.ts";
import { withImageLock } from "./image-lock.ts";
import { missingBlobs } from "./layer-archive.ts";
import type { LayerStack } from "./layers.ts";

/** How often the layers of an image may be removed by others while it is being stored. */
export const VANISHED_MAX = 5;

const NO_DATE = "0001-01-01T00:00:00Z";

/** Images are listed by it, so it has to be a time; Docker shows the year 1 for none. */
function createdOf(text: string | null | undefined): string {
  const isTime = typeof text === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text);
  return isTime && !Number.isNaN(Date.parse(text)) ? text : NO_DATE;
}

/** The record of an image whose layers are these; `size` is that of their files, in bytes. */
export function recordOf(plan: ImagePlan, stack: Pick<LayerStack, "chain" | "size">): ImageRecord {
  const { created, architecture, os } = plan.config.document;
  return {
    id: plan.config.digest,
    created: createdOf(created),
    architecture,
    os,
    manifest: plan.manifest.digest,
    chain: stack.chain,
    size: stack.size,
    blobs: plan.layers.map(({ descriptor }) => descriptor.digest),
    config: plan.config.document.config ?? {},
  };
}

export interface ImageNames {
  /** Full names with their tags. */
  tags: readonly string[];
  /** A full name with the digest that it was asked for by. */
  digest?: string | undefined;
}

/** @param index the digest of the index that the names stand for, where it is kept */
export function nameImage({ images }: Engine, id: string, names: ImageNames, index?: string): void {
  for (const tag of names.tags) images.setTag(tag, id, index);
  if (names.digest !== undefined) images.setDigest(names.digest, id, index);
}

function isWhole(engine: Engine, record: ImageRecord): boolean {
  return (
    record.manifest !== undefined &&
    engine.content.size(record.manifest as Digest) !== undefined &&
    missingBlobs(engine, record).length === 0 &&
    record.chain.every((id) => engine.driver.hasLayer(id))
  );
}

/** The image, where it is here already, only packed in another way. Hold the lock of all images. */
export function packedOtherwise(engine: Engine, { config, manifest }: ImagePlan): ImageRecord | undefined {
  const present = engine.images.get(config.digest);
  const isOther = present !== undefined && present.manifest !== manifest.digest;
  return isOther && isWhole(engine, present) ? present : undefined;
}

/** Of an image whose parts are taken away while it is being stored. */
export function vanished(): BockerError {
  return new BockerError("conflict", "the image's layers are removed again and again by another process");
}

/**
 * Prepares and publishes the layers of `plan`, and records the image. One that is here already, only packed in another way,
 * gets the names and stays as it is. The caller aborts the stack after a failure.
 */
export async function storeImage(
  engine: Engine,
  plan: ImagePlan,
  stack: LayerStack,
  names: ImageNames,
): Promise<ImageRecord> {
  const { images } = engine;
  const named = withImageLock(engine, () => {
    const present = packedOtherwise(engine, plan);
    if (present !== undefined) engine.transaction(() => nameImage(engine, present.id, names));
    return present;
  });
  if (named !== undefined) return named;
  for (let attempt = 0; attempt < VANISHED_MAX; attempt++) {
    await stack.prepare();
    const record = recordOf(plan, stack);
    const published = stack.publish([plan.config.bytes, plan.manifest.bytes], () => {
      images.insert(record);
      nameImage(engine, record.id, names);
    });
    if (published) return record;
  }
  throw vanished();
}
