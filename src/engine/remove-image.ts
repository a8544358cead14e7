/** `rmi`: names of images, and what nothing refers to any more once they are gone. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { familiarReference, parseReference, repositoryName } from "../base/reference.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { type Event, recordEvents } from "../state/events.ts";
import type { ImageRecord } from "../state/images.ts";
import { type ImageName, type IndexRecord, IndexTable } from "../state/indexes.ts";
import { readState } from "../state/status.ts";
import { sweepTrash } from "../state/trash.ts";
import type { Engine } from "./engine.ts";
import { findImageRecord, isHostImage } from "./image.ts";
import { imageEvent, recordPrune } from "./image-events.ts";
import { withImageLock } from "./image-lock.ts";
import type { PruneOptions } from "./prune.ts";
import { contentOf, contentOfIndex, readReferences } from "./references.ts";

/** One line of Docker's answer. */
export type RemovedImage = { untagged: string } | { deleted: string };

interface Names {
  tags: string[];
  digests: string[];
}

const namesIn = (rows: readonly ImageName[] = []) => rows.map(({ name }) => name);

export function namesOf(engine: Engine, id: string): Names {
  return { tags: namesIn(engine.images.tags(id)), digests: namesIn(engine.images.digests(id)) };
}

/** The same of each of many images: all names are read once. */
function namesOfEach(engine: Engine): (id: string) => Names {
  const [tags, digests] = [engine.images.tags(), engine.images.digests()].map((rows) =>
    Map.groupBy(rows, ({ image }) => image),
  );
  return (id) => ({ tags: namesIn(tags!.get(id)), digests: namesIn(digests!.get(id)) });
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

/** Throws "conflict" for containers that are in the way. @param typed the name that is removed; undefined for an id */
export function checkUnused(
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

/** What goes with images: chain ids, the topmost layers first, and digests of blobs. */
interface Unneeded {
  chains: string[];
  blobs: Digest[];
  /** Of both, on the disk. */
  bytes: number;
}

/** What has been taken out of the database. */
export interface Forgotten {
  images: readonly ImageRecord[];
  /** Digests that indexes kept. */
  content: readonly string[];
}

/** What only the removed images had. Call it after their records are gone, in the same transaction. */
function unneeded(engine: Engine, gone: Forgotten, without: ReadonlySet<string>): Unneeded {
  const had = [...new Set(gone.images.flatMap(({ chain }) => [...chain].reverse()))];
  const content = [...new Set([...gone.images.flatMap(contentOf), ...gone.content])];
  const { layers, directories, blobs } = readReferences(engine, without, {
    digests: [...had, ...content],
    directories: had.map((chain) => engine.driver.layerDirectory(chain)),
  });
  const isKept = (chain: string) => layers.has(chain) || directories.has(engine.driver.layerDirectory(chain));
  const chains = had.filter((chain) => !isKept(chain));
  const own = content.filter((digest) => !blobs.has(digest)) as Digest[];
  const sizes = [
    ...chains.map((chain) => engine.images.layer(chain)?.size ?? 0),
    ...own.map((digest) => engine.content.size(digest) ?? 0),
  ];
  return { chains, blobs: own, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

export interface Removal {
  lines: RemovedImage[];
  /** Of layers and blobs, on the disk. */
  bytes: number;
}

/** Undoes a transaction that was only to show what it would do. */
class OnlyShown extends Error {}

/** Images of platforms that have been run, which had no names but those that stand for their index. */
export function nameless(engine: Engine, ids: readonly string[]): ImageRecord[] {
  const named = new Set([...engine.images.tags(), ...engine.images.digests()].map(({ image }) => image));
  const kept = new IndexTable(engine.database).list().flatMap(({ entries }) => entries);
  for (const { image } of kept) if (image !== undefined) named.add(image.id);
  return ids.flatMap((id) => (named.has(id) ? [] : (engine.images.get(id) ?? [])));
}

const idsIn = ({ entries }: IndexRecord) => entries.flatMap(({ image }) => image?.id ?? []);

/** Takes indexes that no name stands for out of the database. */
function forgetLoose(engine: Engine, removed: RemovedImage[]): IndexRecord[] {
  const indexes = new IndexTable(engine.database);
  const loose = indexes.loose();
  for (const { digest } of loose) {
    indexes.delete(digest);
    removed.push({ deleted: digest });
  }
  return loose;
}

/** The images of their platforms go with indexes, unless a container is of them. */
function forgetPlatforms(
  engine: Engine,
  loose: readonly IndexRecord[],
  without: ReadonlySet<string>,
  removed: RemovedImage[],
  events: Event[],
): ImageRecord[] {
  const images = nameless(engine, [...new Set(loose.flatMap(idsIn))]).filter(({ id }) =>
    engine.containers.usingImage(id).every((user) => without.has(user.id)),
  );
  for (const image of images) deleteRecord(engine, image, removed, events);
  return images;
}

/** Takes an image out of the database. */
export function deleteRecord(
  engine: Engine,
  record: ImageRecord,
  removed: RemovedImage[],
  events: Event[],
): void {
  engine.images.delete(record.id);
  removed.push({ deleted: record.id });
  // As Docker, which looks for the labels then: there are none any more.
  events.push({ ...imageEvent(record, "delete", record.id), labels: undefined });
}

/**
 * Frees what only an index needed whose last name has been given to something else. Images of it that are unpacked stay, without
 * a name, as any image does that has lost its own.
 */
export function freeLooseIndexes(engine: Engine): void {
  if (new IndexTable(engine.database).loose().length > 0)
    removeForgotten(engine, false, (removed) => ({
      images: [],
      content: forgetLoose(engine, removed).flatMap(contentOfIndex),
    }));
}

/**
 * Removes what `forget` takes out of the database, and all that nobody needs then. The lock of all images is held, so nobody
 * adds any meanwhile.
 * @param forget says which images are gone, and what it did besides
 * @param dry everything is worked out, and nothing is done
 * @param without ids of containers that are thought away
 */
export function removeForgotten(
  engine: Engine,
  dry: boolean,
  forget: (lines: RemovedImage[], events: Event[]) => Forgotten,
  without: ReadonlySet<string> = new Set(),
): Removal {
  const lines: RemovedImage[] = [];
  const events: Event[] = [];
  let bytes = 0;
  withImageLock(engine, () => {
    let leaving: Unneeded = { chains: [], blobs: [], bytes: 0 };
    try {
      engine.transaction(() => {
        lines.length = 0;
        events.length = 0;
        const own = forget(lines, events);
        const loose = forgetLoose(engine, lines);
        const gone = {
          images: [...own.images, ...forgetPlatforms(engine, loose, without, lines, events)],
          content: [...own.content, ...loose.flatMap(contentOfIndex)],
        };
        if (gone.images.length + gone.content.length > 0) leaving = unneeded(engine, gone, without);
        for (const chain of leaving.chains) engine.images.deleteLayer(chain);
        if (dry) throw new OnlyShown();
      });
    } catch (error) {
      if (!(error instanceof OnlyShown)) throw error;
    }
    if (!dry) recordEvents(engine.paths, events);
    bytes = leaving.bytes;
    for (const chain of leaving.chains) {
      if (!engine.driver.hasLayer(chain)) continue;
      if (!dry) engine.driver.removeLayer(chain);
      lines.push({ deleted: chain });
    }
    if (!dry) for (const digest of leaving.blobs) engine.content.remove(digest);
  });
  if (!dry) sweepTrash(engine.paths);
  return { lines, bytes };
}

/** Ids of the other platforms of the indexes that only an image's names stand for. */
function platformsAlone(engine: Engine, id: string): string[] {
  const { images } = engine;
  const own = new Set([...images.tags(id), ...images.digests(id)].flatMap(({ index }) => index ?? []));
  if (own.size === 0) return [];
  const names = [...images.tags(), ...images.digests()];
  const others = new Set(names.filter(({ image }) => image !== id).map(({ index }) => index));
  const indexes = new IndexTable(engine.database);
  const ids = [...own].filter((digest) => !others.has(digest)).flatMap((digest) => indexes.get(digest) ?? []);
  return [...new Set(ids.flatMap(idsIn))].filter((other) => other !== id);
}

/** Removes one name; with the last tag that stands for an index in its repository goes the name@digest of it. */
function untag(engine: Engine, name: string): RemovedImage[] {
  const { images } = engine;
  const row = images.tags().find((tag) => tag.name === name);
  if (row === undefined) {
    images.deleteDigest(name);
    return [{ untagged: familiar(name) }];
  }
  images.deleteTag(name);
  const repository = repositoryName(parseReference(name));
  const isLast = images
    .tags()
    .every((tag) => tag.index !== row.index || repositoryName(parseReference(tag.name)) !== repository);
  const digest = `${repository}@${row.index}`;
  const isGone = row.index !== undefined && isLast && images.deleteDigest(digest);
  return [name, ...(isGone ? [digest] : [])].map((gone) => ({ untagged: familiar(gone) }));
}

/** Decides and does the part that the database holds; undefined when only a name went. */
function forget(
  engine: Engine,
  reference: string,
  force: boolean,
  removed: RemovedImage[],
  events: Event[],
): ImageRecord | undefined {
  const record = findImageRecord(engine, reference);
  if (record === undefined) throw new BockerError("not-found", `No such image: ${reference}`);
  const names = namesOf(engine, record.id);
  const typed = typedName(reference, names);
  const others = names.tags.filter((name) => name !== typed);
  if (typed !== undefined && (others.length > 0 || (names.tags.length > 0 && !names.tags.includes(typed)))) {
    removed.push(...untag(engine, typed));
    events.push(imageEvent(record, "untag", record.id));
    return undefined;
  }
  if (typed === undefined && names.tags.length > 1 && !force)
    throw new BockerError(
      "conflict",
      `conflict: unable to delete ${shortId(record.id)} (must be forced) - image is referenced in multiple repositories`,
    );
  const users = [record.id, ...platformsAlone(engine, record.id)].flatMap((id) =>
    engine.containers.usingImage(id),
  );
  checkUnused(engine, reference, typed, users, force);
  forgetImage(engine, record, names, removed, events);
  return record;
}

function forgetImage(
  engine: Engine,
  record: ImageRecord,
  names: Names,
  removed: RemovedImage[],
  events: Event[],
): void {
  const { id } = record;
  for (const name of [...names.tags, ...names.digests]) {
    removed.push({ untagged: familiar(name) });
    events.push(imageEvent(record, "untag", id));
  }
  deleteRecord(engine, record, removed, events);
}

/**
 * Removes a name, and with its last name the image.
 * @param dry nothing is removed; it is said what would be
 * @throws BockerError "not-found", or "conflict" when a container uses it and `force` does not help
 */
export function removeImage(engine: Engine, reference: string, force: boolean, dry: boolean): RemovedImage[] {
  if (isHostImage(reference))
    throw new BockerError("conflict", `${reference} is built in: it is this machine's own root and stays`);
  return removeForgotten(engine, dry, (removed, events) => {
    const gone = forget(engine, reference, force, removed, events);
    return { images: gone === undefined ? [] : [gone], content: [] };
  }).lines;
}

/** Removes names of indexes that have no tags any more, and of which there is no container: their image may have others. */
function untagOld(
  engine: Engine,
  indexes: readonly IndexRecord[],
  used: ReadonlySet<string>,
  isWanted: (image: ImageRecord) => boolean,
  removed: RemovedImage[],
): void {
  const tagged = new Set(engine.images.tags().map(({ index }) => index));
  const old = indexes.filter(
    (index) => !tagged.has(index.digest) && !idsIn(index).some((id) => used.has(id)),
  );
  const digests = new Set<string | undefined>(old.map(({ digest }) => digest));
  const tags = new Set(engine.images.tags().map(({ image }) => image));
  for (const { name, image, index } of engine.images.digests()) {
    const record = engine.images.get(image);
    // Of an image without tags it goes with that.
    if (!digests.has(index) || record === undefined || !tags.has(image) || !isWanted(record)) continue;
    engine.images.deleteDigest(name);
    removed.push({ untagged: familiar(name) });
  }
}

/** Removes images that no container is of. */
export function pruneImages(
  engine: Engine,
  { all, isWanted, dry, gone: goneContainers }: PruneOptions<ImageRecord>,
): Removal {
  const removal = removeForgotten(
    engine,
    dry,
    (removed, events) => {
      const users = engine.containers.list().filter(({ id }) => !goneContainers.has(id));
      const used = new Set(users.map(({ imageId }) => imageId));
      const tagged = new Set(engine.images.tags().map(({ image }) => image));
      const indexes = new IndexTable(engine.database).list();
      // An image that is kept whole is in use with each of its platforms, and none of them is without a name.
      for (const { image, index } of [...engine.images.tags(), ...engine.images.digests()]) {
        const kept = indexes.find(({ digest }) => digest === index);
        const ids = kept === undefined ? [] : idsIn(kept);
        if (ids.some((id) => used.has(id))) used.add(image);
        for (const id of ids) if (tagged.has(image)) tagged.add(id);
      }
      untagOld(engine, indexes, used, isWanted, removed);
      const gone = engine.images
        .list()
        .filter((image) => !used.has(image.id) && (all || !tagged.has(image.id)) && isWanted(image));
      const names = namesOfEach(engine);
      for (const image of gone) forgetImage(engine, image, names(image.id), removed, events);
      return { images: gone, content: [] };
    },
    goneContainers,
  );
  if (!dry) recordPrune(engine, "image", removal.bytes);
  return removal;
}
