/** `push` of an index that is kept: everything that it lists, then the index itself, as it came. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { familiarReference, formatReference, type Reference, repositoryName } from "../base/reference.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { parseManifest } from "../spec/image-manifest.ts";
import type { IndexRecord } from "../state/indexes.ts";
import type { Engine } from "./engine.ts";
import { documentsOf } from "./image-documents.ts";
import { imagesOf, type Listed, listedIn, packedRecord, titleOf, typedName } from "./kept-index.ts";
import {
  type OutgoingContent,
  type PushedContent,
  type PushResult,
  pushBlob,
  pushContent,
} from "./push-content.ts";

/** What neither this machine nor the registry has of an index. */
async function missingOf({ pusher }: PushedContent, listed: readonly Listed[]): Promise<Descriptor[]> {
  const missing: Descriptor[] = [];
  for (const { descriptor, entry } of listed)
    if (entry === undefined && !(await pusher.hasManifest(descriptor.digest))) missing.push(descriptor);
  return missing;
}

/** Blobs of what is here, and configurations, which come after them. */
function contentOf(engine: Engine, index: IndexRecord): { blobs: OutgoingContent[]; configs: Descriptor[] } {
  const blobs: OutgoingContent[] = [];
  const configs: Descriptor[] = [];
  const images = new Map(imagesOf(index).map((entry) => [entry.digest, entry]));
  for (const { digest, mediaType } of index.entries) {
    const image = images.get(digest);
    if (image !== undefined) {
      const { config, layers } = documentsOf(engine, packedRecord(engine, index, image));
      blobs.push(...layers.map(({ diffId, descriptor }) => ({ id: diffId, descriptor })));
      configs.push(config);
      continue;
    }
    const document = parseManifest(engine.content.read(digest as Digest), mediaType);
    if (document.kind === "index") continue;
    const { config, layers } = document.manifest;
    blobs.push(...layers.map((descriptor) => ({ id: descriptor.digest, descriptor })));
    configs.push(config);
  }
  return { blobs, configs };
}

/** Docker's (containerd's) advice. */
function incomplete(reference: Reference, missing: readonly Descriptor[]): BockerError {
  return new BockerError(
    "not-found",
    `${familiarReference(reference)} cannot be pushed whole: ${missing.map(titleOf).join(", ")} of it ${missing.length === 1 ? "is" : "are"} neither here nor in the registry. Pull it with --all-platforms, or push one platform with --platform`,
  );
}

/**
 * Pushes all of it; what is missing here may be in the registry. undefined, and nothing has happened, where only one image of it
 * is here: then that is pushed alone, as Docker does it.
 * @throws BockerError "not-found" when something is missing
 */
export async function pushIndex(
  content: PushedContent,
  index: IndexRecord,
  reference: Reference,
): Promise<PushResult | undefined> {
  const { engine, pusher } = content;
  const missing = await missingOf(content, listedIn(engine, index));
  if (missing.length > 0 && imagesOf(index).length === 1) return undefined;
  if (missing.length > 0) throw incomplete(reference, missing);
  const { blobs, configs } = contentOf(engine, index);
  await pushContent(content, blobs);
  for (const config of configs) await pushBlob(content, config, () => undefined);
  // A registry refuses an index before what it lists.
  for (const { digest, mediaType } of index.entries)
    await pusher.manifest(digest, mediaType, engine.content.read(digest as Digest));
  const bytes = engine.content.read(index.digest as Digest);
  const digest = await pusher.manifest(reference.tag ?? index.digest, index.mediaType, bytes);
  engine.transaction(() => {
    // Unless it has gone meanwhile.
    const name = typedName(engine, formatReference(reference));
    if (name?.index === index.digest)
      engine.images.setDigest(`${repositoryName(reference)}@${digest}`, name.image, index.digest);
  });
  return { digest, size: bytes.length };
}
