/** `save`: images with their names as one archive. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { familiarReference, formatReference, parseReference, repositoryName } from "../base/reference.ts";
import { type ArchivedImage, writeImageArchive } from "../images/archive/write.ts";
import type { Platform } from "../spec/descriptor.ts";
import { recordEvents } from "../state/events.ts";
import type { ImageRecord } from "../state/images.ts";
import { type IndexEntry, type IndexRecord, IndexTable } from "../state/indexes.ts";
import type { Engine } from "./engine.ts";
import { isHostImage, requireImageRecord } from "./image.ts";
import { documentsOf } from "./image-documents.ts";
import { imageEvent } from "./image-events.ts";
import { imageOfPlatform, lacksPlatform } from "./image-platform.ts";
import { entryFor, imagesOf, namedIndex, type PlatformEntry, packedRecord } from "./kept-index.ts";
import { withBlobs } from "./pack-image.ts";
import { contentOf, contentOfIndex } from "./references.ts";

/** What is written of a word: an image or an index, and the full names that it gets. */
interface Chosen {
  /** The id of the image, and the digest of the index that its names stand for, where that is kept. */
  image: string;
  index: string | undefined;
  names: string[];
}

/** A repository alone is all of its tags, an id none (moby tarexport). */
function chosenBy(engine: Engine, word: string): Chosen[] {
  const tags = engine.images.tags();
  const isBare = (() => {
    try {
      const { tag, digest } = parseReference(word);
      return tag === undefined && digest === undefined;
    } catch {
      return false;
    }
  })();
  const wanted = isBare
    ? tags.filter(({ name }) => repositoryName(parseReference(name)) === repositoryName(parseReference(word)))
    : tags.filter(({ name }) => name === fullName(word));
  if (wanted.length > 0) return wanted.map(({ name, image, index }) => ({ image, index, names: [name] }));
  const index = namedIndex(engine, word)?.digest;
  return [{ image: requireImageRecord(engine, word).id, index, names: [] }];
}

function fullName(word: string): string | undefined {
  try {
    return formatReference(parseReference(word));
  } catch {
    return undefined;
  }
}

/** The archive; once all of it has been taken, that it was. */
function* told(engine: Engine, records: ImageRecord[], archive: Generator<Buffer, void, void>) {
  yield* archive;
  recordEvents(
    engine.paths,
    records.map((record) => imageEvent(record, "save", record.id)),
  );
}

function archivedNames(names: readonly string[]): ArchivedImage["names"] {
  return names.map((name) => {
    const reference = parseReference(name);
    return { full: name, familiar: familiarReference(reference), tag: reference.tag ?? "latest" };
  });
}

async function archivedImage(
  engine: Engine,
  image: ImageRecord,
  names: readonly string[],
): Promise<ArchivedImage> {
  const record = await withBlobs(engine, image);
  const { manifest, config, layers } = documentsOf(engine, record);
  return {
    top: { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length },
    content: contentOf(record),
    config: config.digest,
    layers: layers.map(({ descriptor }) => descriptor),
    names: archivedNames(names),
  };
}

/** The index, with what is here of it; of several platforms that were asked for, no more than those. */
async function archivedIndex(
  engine: Engine,
  index: IndexRecord,
  image: string,
  names: readonly string[],
  entries: readonly PlatformEntry[] | undefined,
): Promise<ArchivedImage> {
  const own = imagesOf(index).find((entry) => entry.image.id === image);
  // manifest.json is of one platform: the name's own, or what was asked for first.
  const shown = entries === undefined || (own !== undefined && entries.includes(own)) ? own : entries[0];
  const record = shown === undefined ? requireImageRecord(engine, image) : packedRecord(engine, index, shown);
  const images = new Set<IndexEntry>(imagesOf(index));
  const kept = index.entries.filter(
    (entry) =>
      entries === undefined ||
      entry.blobs.length === 0 ||
      (images.has(entry) && entries.some(({ digest }) => digest === entry.digest)),
  );
  const { digest, mediaType, size } = index;
  return {
    ...(await archivedImage(engine, record, names)),
    top: { mediaType, digest: digest as Digest, size },
    content: contentOfIndex({ ...index, entries: kept }),
  };
}

/** Throws "not-found" for a platform that is not here. */
async function archived(
  engine: Engine,
  { image, index, names }: Chosen,
  word: string,
  platforms: readonly Platform[],
): Promise<ArchivedImage> {
  const kept = index === undefined ? undefined : new IndexTable(engine.database).get(index);
  if (kept === undefined) {
    const record = requireImageRecord(engine, image);
    for (const platform of platforms) imageOfPlatform(engine, image, platform);
    return archivedImage(engine, record, names);
  }
  if (platforms.length === 0) return archivedIndex(engine, kept, image, names, undefined);
  const entries = platforms.map((platform) => {
    const entry = entryFor(kept, platform);
    if (entry === undefined) throw lacksPlatform(word, platform);
    return entry;
  });
  const [only] = entries;
  if (only !== undefined && new Set(entries).size === 1)
    return archivedImage(engine, packedRecord(engine, kept, only), names);
  return archivedIndex(engine, kept, image, names, entries);
}

/**
 * The archive of images in chunks; what cannot be is said before the first one.
 * @param words names, repositories (all of their tags), ids
 * @param platforms of images that are kept whole these alone; one of them stands without its index
 * @throws BockerError "not-found", "unsupported", "corrupt"
 */
export async function saveImages(
  engine: Engine,
  words: readonly string[],
  platforms: readonly Platform[] = [],
): Promise<Generator<Buffer, void, void>> {
  const chosen = new Map<string, { what: Chosen; word: string }>();
  for (const word of words) {
    if (isHostImage(word))
      throw new BockerError("unsupported", "the host image is this machine's own root: it cannot be saved");
    for (const what of chosenBy(engine, word)) {
      const key = `${what.image} ${what.index}`;
      const names = new Set([...(chosen.get(key)?.what.names ?? []), ...what.names]);
      chosen.set(key, { what: { ...what, names: [...names].sort() }, word });
    }
  }
  const images: ArchivedImage[] = [];
  for (const { what, word } of chosen.values()) images.push(await archived(engine, what, word, platforms));
  const records = [...chosen.values()].map(({ what }) => requireImageRecord(engine, what.image));
  return told(engine, records, writeImageArchive(engine.content, images));
}
