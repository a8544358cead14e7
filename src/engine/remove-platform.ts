/** `rmi --platform`: some platforms of an image that is kept with several. */
import { BockerError } from "../base/errors.ts";
import type { Platform } from "../spec/descriptor.ts";
import { type IndexRecord, IndexTable } from "../state/indexes.ts";
import type { Engine } from "./engine.ts";
import { requireImageRecord } from "./image.ts";
import { imageOfPlatform, lacksPlatform } from "./image-platform.ts";
import {
  changed,
  entryFor,
  imagesOf,
  listedIn,
  namedIndex,
  type PlatformEntry,
  typedName,
  whileKept,
} from "./kept-index.ts";
import { contentOfIndex } from "./references.ts";
import {
  checkUnused,
  deleteRecord,
  type Forgotten,
  nameless,
  type RemovedImage,
  removeForgotten,
  removeImage,
} from "./remove-image.ts";
import { unpackPlatform } from "./unpack-platform.ts";

/** Annotation of an attestation: the manifest that it is of (buildkit, docs/attestations/attestation-storage.md). */
const ATTESTED = "vnd.docker.reference.digest";

/** Digests of manifests, with those of attestations that are of them. */
function withAttestations(
  engine: Engine,
  index: IndexRecord,
  entries: readonly PlatformEntry[],
): Set<string> {
  const own = new Set(entries.map(({ digest }) => digest));
  for (const { descriptor } of listedIn(engine, index))
    if (own.has(descriptor.annotations?.[ATTESTED] ?? "")) own.add(descriptor.digest);
  return own;
}

/** Names whose own image goes stand for another one of the index. */
function renameTo(engine: Engine, index: string, gone: ReadonlySet<string>, image: string): void {
  const isOf = (name: { image: string; index: string | undefined }) =>
    name.index === index && gone.has(name.image);
  for (const { name } of engine.images.tags().filter(isOf)) engine.images.setTag(name, image, index);
  for (const { name } of engine.images.digests().filter(isOf)) engine.images.setDigest(name, image, index);
}

/**
 * Removes platforms of what a name stands for, for all names that stand for it. The name's own image may be among them: then
 * another one becomes that. With the last one the name goes.
 * @param dry nothing is removed; it is said what would be
 * @throws BockerError "not-found" for a platform that is not here, "conflict" when a container uses it
 */
export async function removePlatforms(
  engine: Engine,
  reference: string,
  platforms: readonly Platform[],
  force: boolean,
  dry: boolean,
): Promise<RemovedImage[]> {
  const index = namedIndex(engine, reference);
  if (index === undefined) {
    for (const platform of platforms) imageOfPlatform(engine, reference, platform);
    return removeImage(engine, reference, force, dry);
  }
  const entries = platforms.map((platform) => {
    const entry = entryFor(index, platform);
    if (entry === undefined) throw lacksPlatform(reference, platform);
    return entry;
  });
  const others = { ...index, entries: imagesOf(index).filter((entry) => !entries.includes(entry)) };
  const successor = entryFor(others) ?? imagesOf(others).find(({ image }) => image.platform.os === "linux");
  if (successor === undefined) return removeImage(engine, reference, force, dry);
  const ids = new Set(entries.map(({ image }) => image.id));
  // A name's own image is always unpacked. Whoever is refused below has lost nothing by it.
  const isOwn = ids.has(requireImageRecord(engine, reference).id);
  const gone = await whileKept(engine, reference, index, async () => {
    if (isOwn && !dry) await unpackPlatform(engine, index, successor);
    return withAttestations(engine, index, entries);
  });
  return removeForgotten(engine, dry, (removed, events): Forgotten => {
    const indexes = new IndexTable(engine.database);
    const now = indexes.get(index.digest);
    if (now === undefined || typedName(engine, reference)?.index !== index.digest)
      throw new BockerError("not-found", `No such image: ${reference}`);
    const users = [...ids].flatMap((id) => engine.containers.usingImage(id));
    checkUnused(engine, reference, reference, users, force);
    if (!dry && isOwn && engine.images.get(successor.image.id) === undefined) throw changed(reference);
    renameTo(engine, index.digest, ids, successor.image.id);
    indexes.set({ ...now, entries: now.entries.filter(({ digest }) => !gone.has(digest)) });
    const leaving = now.entries.filter(({ digest }) => gone.has(digest));
    for (const { digest } of leaving) removed.push({ deleted: digest });
    const images = nameless(engine, [...ids]);
    for (const image of images) deleteRecord(engine, image, removed, events);
    return { images, content: contentOfIndex({ ...now, entries: leaving }) };
  }).lines;
}
