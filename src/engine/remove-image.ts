/** `rmi`: names of images, and what nothing refers to any more once they are gone. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { familiarReference, parseReference } from "../base/reference.ts";
import type { ContainerRecord } from "../spec/container.ts";
import type { ImageRecord } from "../state/images.ts";
import { readState } from "../state/status.ts";
import { sweepTrash } from "../state/trash.ts";
import type { Engine } from "./engine.ts";
import { findImageRecord, isHostImage } from "./image.ts";
import { withImageLock } from "./image-lock.ts";

/** One line of Docker's answer. */
export type RemovedImage = { untagged: string } | { deleted: string };

interface Names {
  tags: string[];
  digests: string[];
}

export function namesOf(engine: Engine, id: string): Names {
  const own = (rows: { name: string; image: string }[]) =>
    rows.filter(({ image }) => image === id).map(({ name }) => name);
  return { tags: own(engine.images.tags()), digests: own(engine.images.digests()) };
}

export function familiar(name: string): string {
  return familiarReference(parseReference(name));
}

/** The tag or name@digest that was typed; undefined when it was an id. */
function typedName(reference: string, names: Names): string | undefined {
  return [...names.tags, ...names.digests].find(
    (name) =>
      name === reference ||
      familiar(name) === reference ||
      familiar(name) === `${reference}:latest` ||
      name === `${reference}:latest`,
  );
}

function checkUnused(
  engine: Engine,
  reference: string,
  typed: string | undefined,
  users: ContainerRecord[],
  force: boolean,
): void {
  for (const { id, imageId } of users) {
    const running = readState(engine.paths, id).status === "running";
    if (typed !== undefined && !force)
      throw new BockerError(
        "conflict",
        `conflict: unable to remove repository reference ${JSON.stringify(reference)} (must force) - container ${shortId(id)} is using its referenced image ${shortId(imageId)}`,
      );
    if (running)
      throw new BockerError(
        "conflict",
        `conflict: unable to delete ${shortId(imageId)} (cannot be forced) - image is being used by running container ${shortId(id)}`,
      );
    if (!force)
      throw new BockerError(
        "conflict",
        `conflict: unable to delete ${shortId(imageId)} (must be forced) - image is being used by stopped container ${shortId(id)}`,
      );
  }
}

/** Layers and blobs that only the removed images had. The image lock is held alone, so nobody adds any. */
function sweep(engine: Engine, gone: ImageRecord): string[] {
  const images = engine.images.list();
  const containerLayers = new Set(engine.containers.list().flatMap(({ layers }) => layers));
  const usedLayers = new Set(images.flatMap(({ chain }) => chain));
  const usedBlobs = new Set(
    images.flatMap(({ id, manifest, blobs }) => [
      id,
      ...blobs,
      ...(manifest === undefined ? [] : [manifest]),
    ]),
  );
  const deleted: string[] = [];
  for (const chain of [...gone.chain].reverse()) {
    if (usedLayers.has(chain) || containerLayers.has(engine.driver.layerDirectory(chain))) continue;
    engine.images.deleteLayer(chain);
    if (!engine.driver.hasLayer(chain)) continue;
    engine.driver.removeLayer(chain);
    deleted.push(chain);
  }
  for (const digest of [gone.id, gone.manifest, ...gone.blobs])
    if (digest !== undefined && !usedBlobs.has(digest)) engine.content.remove(digest as Digest);
  return deleted;
}

/** Decides and does the part that the database holds; undefined when only a name went. */
function forget(
  engine: Engine,
  reference: string,
  force: boolean,
  removed: RemovedImage[],
): ImageRecord | undefined {
  const record = findImageRecord(engine, reference);
  if (record === undefined) throw new BockerError("not-found", `No such image: ${reference}`);
  const names = namesOf(engine, record.id);
  const typed = typedName(reference, names);
  const others = names.tags.filter((name) => name !== typed);
  if (typed !== undefined && (others.length > 0 || (names.tags.length > 0 && !names.tags.includes(typed)))) {
    if (!engine.images.deleteTag(typed)) engine.images.deleteDigest(typed);
    removed.push({ untagged: familiar(typed) });
    return undefined;
  }
  if (typed === undefined && names.tags.length > 1 && !force)
    throw new BockerError(
      "conflict",
      `conflict: unable to delete ${shortId(record.id)} (must be forced) - image is referenced in multiple repositories`,
    );
  checkUnused(engine, reference, typed, engine.containers.usingImage(record.id), force);
  for (const name of [...names.tags, ...names.digests]) removed.push({ untagged: familiar(name) });
  engine.images.delete(record.id);
  return record;
}

/**
 * Removes a name, and with its last name the image.
 * @throws BockerError "not-found", or "conflict" when a container uses it and `force` does not help
 */
export function removeImage(engine: Engine, reference: string, force: boolean): RemovedImage[] {
  if (isHostImage(reference))
    throw new BockerError("conflict", `${reference} is built in: it is this machine's own root and stays`);
  const removed: RemovedImage[] = [];
  withImageLock(engine, () => {
    const gone = engine.transaction(() => forget(engine, reference, force, removed));
    if (gone === undefined) return;
    removed.push({ deleted: gone.id });
    for (const chain of sweep(engine, gone)) removed.push({ deleted: chain });
  });
  sweepTrash(engine.paths);
  return removed;
}
