/** `push`: an image to a registry: layers first, then its configuration, its manifest last. */
import { type Digest, digestHex } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import {
  familiarName,
  familiarReference,
  formatReference,
  parseReference,
  type Reference,
  repositoryName,
  withDefaultTag,
} from "../base/reference.ts";
import type { Packing } from "../images/layer/pack.ts";
import { RegistryPusher } from "../registry/pusher.ts";
import type { ImageRecord } from "../state/images.ts";
import { IndexTable } from "../state/indexes.ts";
import { abortable } from "./abortable.ts";
import type { Engine } from "./engine.ts";
import { isHostImage } from "./image.ts";
import { documentsOf, type ImageDocuments } from "./image-documents.ts";
import { recordImageEvent } from "./image-events.ts";
import { imageOfPlatform } from "./image-platform.ts";
import { namedIndex, platformsOf } from "./kept-index.ts";
import { withBlobs } from "./pack-image.ts";
import {
  type PushedContent,
  type PushProgress,
  type PushResult,
  pushBlob,
  pushContent,
} from "./push-content.ts";
import { pushIndex } from "./push-index.ts";
import type { Repacked } from "./repack.ts";

export interface PushOptions {
  /** os/arch[/variant]: the image of this platform alone, of an image that is kept whole. */
  platform?: string | undefined;
  /** Layers that are packed otherwise are packed so, for this push; not with an index. */
  packing?: Packing | undefined;
  progress?: PushProgress | undefined;
  signal?: AbortSignal | undefined;
}

/** Repositories of the same registry that have a blob, as far as this machine knows: path by digest. */
function knownSources(engine: Engine, reference: Reference): Map<string, string> {
  const sources = new Map<string, string>();
  const indexes = new IndexTable(engine.database);
  for (const { name, image, index } of engine.images.digests()) {
    const { domain, path } = parseReference(name);
    if (domain !== reference.domain || path === reference.path) continue;
    const kept = index === undefined ? undefined : indexes.get(index);
    const blobs =
      kept === undefined ? engine.images.get(image)?.blobs : kept.entries.flatMap((entry) => entry.blobs);
    for (const digest of blobs ?? []) sources.set(digest, path);
  }
  return sources;
}

/** The tags that a repository has here. */
function tagsOf(engine: Engine, reference: Reference): Reference[] {
  return engine.images
    .tags()
    .map((row) => parseReference(row.name))
    .filter((tag) => repositoryName(tag) === repositoryName(reference));
}

/** The tags of this machine that a name means. Throws in Docker's words where there are none. */
export function tagsToPush(engine: Engine, name: string, all: boolean): Reference[] {
  const parsed = parseReference(name);
  if (parsed.digest !== undefined) throw new BockerError("invalid", "cannot push a digest reference");
  if (isHostImage(name))
    throw new BockerError("unsupported", "the host image is this machine's own root: it cannot be pushed");
  if (!all) return [withDefaultTag(parsed)];
  if (parsed.tag !== undefined) throw new BockerError("invalid", "tag can't be used with --all-tags/-a");
  const tags = tagsOf(engine, parsed);
  if (tags.length > 0) return tags;
  throw new BockerError("not-found", `An image does not exist locally with the tag: ${familiarName(parsed)}`);
}

/** @throws BockerError "not-found" */
function requireTag(engine: Engine, reference: Reference): void {
  if (engine.images.byTag(formatReference(reference)) !== undefined) return;
  throw new BockerError(
    "not-found",
    tagsOf(engine, reference).length > 0
      ? `tag does not exist: ${familiarReference(reference)}`
      : `An image does not exist locally with the tag: ${familiarName(reference)}`,
  );
}

async function outgoing(
  engine: Engine,
  record: ImageRecord,
  packing: Packing | undefined,
  signal: AbortSignal,
): Promise<Repacked> {
  if (packing === undefined) return { documents: documentsOf(engine, record), ingests: new Map() };
  const { repacked } = await import("./repack.ts");
  return repacked(engine, record, packing, signal);
}

/** Layers, the configuration, the manifest. */
async function pushDocuments(
  content: PushedContent,
  { config, layers, manifest }: ImageDocuments,
  reference: Reference,
): Promise<Digest> {
  await pushContent(
    content,
    layers.map(({ diffId, descriptor }) => ({ id: diffId, descriptor })),
  );
  await pushBlob(content, config, () => undefined);
  const { bytes, mediaType } = manifest;
  return content.pusher.manifest(reference.tag ?? digestHex(config.digest), mediaType, bytes);
}

function recordPush(engine: Engine, image: ImageRecord, reference: Reference): void {
  recordImageEvent(engine, image, "push", familiarReference(reference), familiarName(reference));
}

/**
 * Pushes what a tag means here: an image, or an index with all that it lists. What the registry has is not sent, what another
 * repository of it has is not either.
 * @throws BockerError "not-found", also for an index of which something is missing, "denied", "registry", "corrupt",
 *   "interrupted"
 */
export async function pushImage(
  engine: Engine,
  reference: Reference,
  options: PushOptions = {},
): Promise<PushResult> {
  requireTag(engine, reference);
  const name = formatReference(reference);
  const [platform] = platformsOf(options.platform === undefined ? [] : [options.platform]);
  const index = platform === undefined ? namedIndex(engine, name) : undefined;
  const sources = knownSources(engine, reference);
  const report: PushProgress["layer"] = (...event) => options.progress?.layer(...event);
  return abortable(options.signal, async (abort) => {
    const pusher = new RegistryPusher(reference, { signal: abort.signal });
    const content: PushedContent = { engine, pusher, sources, report, abort };
    if (index !== undefined && options.packing !== undefined)
      throw new BockerError(
        "unsupported",
        `${familiarReference(reference)} is kept with several platforms, whose digests would change: push one with --platform`,
      );
    if (index !== undefined) {
      const pushed = await pushIndex(content, index, reference);
      if (pushed !== undefined) {
        recordPush(engine, imageOfPlatform(engine, name, undefined), reference);
        return pushed;
      }
    }
    const image = imageOfPlatform(engine, name, platform);
    const record = options.packing === undefined ? await withBlobs(engine, image, abort.signal) : image;
    const { documents, ingests } = await outgoing(engine, record, options.packing, abort.signal);
    let digest: Digest;
    try {
      digest = await pushDocuments({ ...content, packed: ingests }, documents, reference);
    } finally {
      for (const ingest of ingests.values()) ingest.abort();
    }
    // A packed image has no record that a name could stand for.
    if (engine.images.get(record.id) !== undefined)
      engine.transaction(() => engine.images.setDigest(`${repositoryName(reference)}@${digest}`, record.id));
    recordPush(engine, record, reference);
    return { digest, size: documents.manifest.bytes.length, insteadOf: index?.digest as Digest | undefined };
  });
}
