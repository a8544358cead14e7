/** What is here of images of several platforms (state/indexes.ts), by the names that they have. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { formatReference, parseReference, withDefaultTag } from "../base/reference.ts";
import { hostPlatform, parsePlatform } from "../registry/platform.ts";
import { type ImagePlan, layersOf } from "../registry/resolve.ts";
import { imageFor } from "../registry/resolve-index.ts";
import { type Descriptor, formatPlatform, type Platform } from "../spec/descriptor.ts";
import { parseImageConfig } from "../spec/image-config.ts";
import { type ImageIndex, parseManifest } from "../spec/image-manifest.ts";
import type { ImageRecord } from "../state/images.ts";
import { type ImageName, type IndexEntry, type IndexRecord, IndexTable } from "../state/indexes.ts";
import { chainIds } from "./chain.ts";
import type { Engine } from "./engine.ts";
import { contentOfIndex } from "./references.ts";
import { recordOf } from "./store-image.ts";

/** An image of one platform, packed. */
export type PlatformEntry = IndexEntry & { image: NonNullable<IndexEntry["image"]> };

/** The images of an index that are here. */
export function imagesOf(record: IndexRecord): PlatformEntry[] {
  return record.entries.filter((entry): entry is PlatformEntry => entry.image !== undefined);
}

/** The image of an index for a platform, this machine's if none is said; undefined where it is not here. */
export function entryFor(record: IndexRecord, platform?: Platform): PlatformEntry | undefined {
  const images = imagesOf(record).map((entry) => ({ platform: entry.image.platform, entry }));
  return imageFor(images, platform)?.entry;
}

/** The tag, or the name@digest, that was typed; undefined for an id, and for what is not here. */
export function typedName(engine: Engine, reference: string): ImageName | undefined {
  let full: string;
  try {
    const { tag, ...named } = withDefaultTag(parseReference(reference));
    full = formatReference(named.digest === undefined && tag !== undefined ? { ...named, tag } : named);
  } catch {
    return undefined;
  }
  return [...engine.images.tags(), ...engine.images.digests()].find(({ name }) => name === full);
}

/** The index that a name stands for, where it is kept. */
export function namedIndex(engine: Engine, reference: string): IndexRecord | undefined {
  const index = typedName(engine, reference)?.index;
  return index === undefined ? undefined : new IndexTable(engine.database).get(index);
}

/** An image of the index as it was resolved when it came, from the store. @throws BockerError "corrupt", "not-found" */
export function storedPlan(
  engine: Engine,
  index: IndexRecord,
  { digest, mediaType, image }: PlatformEntry,
): ImagePlan {
  const bytes = engine.content.read(digest as Digest);
  const document = parseManifest(bytes, mediaType);
  const config = engine.content.read(image.id as Digest);
  const parsed = parseImageConfig(config);
  return {
    digest: index.digest as Digest,
    manifest: { digest: digest as Digest, bytes },
    config: { digest: image.id as Digest, bytes: config, document: parsed },
    layers: document.kind === "manifest" ? layersOf(document.manifest, parsed) : [],
  };
}

/** What its record would be, whether it is unpacked or not; the size is that of its layers that are. */
export function packedRecord(engine: Engine, index: IndexRecord, entry: PlatformEntry): ImageRecord {
  const plan = storedPlan(engine, index, entry);
  const chain = chainIds(plan.layers.map(({ diffId }) => diffId));
  const size = chain.reduce((total, id) => total + (engine.images.layer(id)?.size ?? 0), 0);
  return recordOf(plan, { chain, size });
}

/**
 * Runs what reads the content of an index. It holds no lock, so another process may remove that meanwhile.
 * @throws BockerError "conflict" then
 */
export async function whileKept<T>(
  engine: Engine,
  reference: string,
  index: IndexRecord,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof BockerError) || error.code !== "not-found") throw error;
    const now = namedIndex(engine, reference);
    const isSame = now?.digest === index.digest && now.entries.length === index.entries.length;
    const content = now === undefined ? [] : contentOfIndex(now);
    // It lacks something that nobody has removed: that is for `system check`.
    if (isSame && content.some((digest) => engine.content.size(digest as Digest) === undefined)) throw error;
    throw changed(reference);
  }
}

/** Of a name that has become something else while it was looked at. */
export function changed(reference: string): BockerError {
  return new BockerError("conflict", `${reference} is changed by another process: try again`);
}

/** Something that an index lists. */
export interface Listed {
  descriptor: Descriptor;
  /** undefined: it is not here */
  entry: IndexEntry | undefined;
}

/** All that the index lists, and what the indexes in it list, in its order; what is listed twice once. */
export function listedIn(engine: Engine, record: IndexRecord): Listed[] {
  const here = new Map(record.entries.map((entry) => [entry.digest, entry]));
  const listed = new Map<string, Listed>();
  const visit = (digest: string, mediaType: string) => {
    const document = parseManifest(engine.content.read(digest as Digest), mediaType);
    const manifests: ImageIndex["manifests"] = document.kind === "index" ? document.index.manifests : [];
    for (const descriptor of manifests) {
      if (listed.has(descriptor.digest)) continue;
      const entry = here.get(descriptor.digest);
      listed.set(descriptor.digest, { descriptor, entry });
      if (entry !== undefined && entry.blobs.length === 0) visit(entry.digest, entry.mediaType);
    }
  };
  visit(record.digest, record.mediaType);
  return [...listed.values()];
}

/** How a thing that an index lists is called: by its platform, or its digest where it says none. */
export function titleOf({ digest, platform }: Descriptor): string {
  const isNamed = platform !== undefined && platform !== null && platform.os !== "unknown";
  return isNamed ? formatPlatform(platform) : digest;
}

/** The platforms that a command line means: os/arch[/variant] each. @throws BockerError "invalid" */
export function platformsOf(words: readonly string[]): Platform[] {
  const own = hostPlatform();
  return words.map((word) => parsePlatform(word, own));
}
