/** `pull --platform A,B` and `--all-platforms`: an index is kept itself, with the images of these platforms. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { formatReference, type Reference, repositoryName } from "../base/reference.ts";
import type { FetchedManifest, RegistryClient } from "../registry/client.ts";
import { hostPlatform } from "../registry/platform.ts";
import type { ImagePlan } from "../registry/resolve.ts";
import { type IndexPlan, imageFor, resolveIndex } from "../registry/resolve-index.ts";
import type { ImageRecord } from "../state/images.ts";
import { type ImageName, IndexTable } from "../state/indexes.ts";
import type { Engine } from "./engine.ts";
import { lockPull, removeUnfinished } from "./image-lock.ts";
import { platformsOf } from "./kept-index.ts";
import { LayerStack, type LayerStatus } from "./layers.ts";
import { PackedContent } from "./packed-content.ts";
import { storeIndex } from "./store-index.ts";

export interface PullProgress {
  /** The manifest is there; the layers come next. */
  resolved(reference: Reference): void;
  /** `current` and `total` are compressed bytes. Called often. */
  layer(digest: Digest, status: LayerStatus, current?: number, total?: number): void;
}

export interface PullResult {
  record: ImageRecord;
  /** Normalised, with its tag. */
  reference: Reference;
  /** What the reference points to at the registry: an index's digest where it is one. */
  digest: Digest;
  status: "Downloaded newer image" | "Image is up to date";
}

/** The names that an image gets. With both tag and digest the digest counts, as Docker does it. */
export function namesOf(reference: Reference, digest: Digest): { tag: string | undefined; digest: string } {
  const tag = reference.digest === undefined ? formatReference(reference) : undefined;
  return { tag, digest: `${repositoryName(reference)}@${digest}` };
}

/** The name that is pulled, where it stands for this index already: then pulling adds to what is kept. */
export function keptName(engine: Engine, named: Reference, index: Digest): ImageName | undefined {
  const { tag, digest } = namesOf(named, index);
  const names = [...engine.images.tags(), ...engine.images.digests()];
  return names.find((row) => row.index === index && (row.name === tag || row.name === digest));
}

/** The layers of an image on their way from a registry. */
export function registryStack(
  engine: Engine,
  client: RegistryClient,
  plan: ImagePlan,
  progress: PullProgress | undefined,
  abort: AbortController,
): LayerStack {
  const requests = plan.layers.map(({ descriptor, diffId }) => ({
    diffId,
    blob: { digest: descriptor.digest, size: descriptor.size },
    source: () => client.blob(descriptor.digest, descriptor.size),
  }));
  const listener = (index: number, status: LayerStatus, current?: number, total?: number) =>
    progress?.layer(requests[index]!.blob.digest, status, current, total);
  return new LayerStack(engine, requests, listener, abort);
}

/** The image that the name is to stand for: this machine's, else the one that it stands for, else the first. */
export function ownImage(plan: IndexPlan, before: string | undefined): ImagePlan | string {
  const images = plan.entries.flatMap(({ image }) => (image?.platform.os === "linux" ? [image] : []));
  const own = imageFor(images)?.plan ?? before ?? images[0]?.plan;
  if (own !== undefined) return own;
  throw new BockerError("unsupported", "the index has no image that could be used on this platform");
}

/** Digests and sizes of what is to come besides the documents. */
export function blobsOf({ entries }: IndexPlan): { digest: Digest; size: number }[] {
  return entries.flatMap(({ blobs, image }) =>
    blobs
      .filter(({ digest }) => digest !== image?.plan.config.digest)
      .map(({ digest, size }) => ({ digest, size })),
  );
}

export interface IndexPull {
  named: Reference;
  /** The index. */
  top: FetchedManifest;
  /** As they were typed; none for this machine's. */
  platforms: readonly string[] | "all";
  progress: PullProgress | undefined;
  abort: AbortController;
}

/** As pullImage, whose promises hold here, too. */
export async function pullIndex(
  engine: Engine,
  client: RegistryClient,
  { named, top, platforms, progress, abort }: IndexPull,
): Promise<PullResult> {
  const wanted =
    platforms === "all" ? undefined : platforms.length === 0 ? [hostPlatform()] : platformsOf(platforms);
  const plan = await resolveIndex(client, top, { platforms: wanted });
  const before = keptName(engine, named, top.digest);
  const isKept = isWhollyKept(engine, plan, before);
  const own = ownImage(plan, before?.image);
  progress?.resolved(named);
  removeUnfinished(engine);
  const held = await lockPull(engine, top.digest, abort.signal);
  const stack = typeof own === "string" ? undefined : registryStack(engine, client, own, progress, abort);
  const requests = blobsOf(plan).map((blob) => ({ blob, source: () => client.blob(blob.digest, blob.size) }));
  const content = new PackedContent(engine, requests, (...event) => progress?.layer(...event), abort);
  try {
    const image = typeof own === "string" || stack === undefined ? (own as string) : { plan: own, stack };
    const { tag, digest } = namesOf(named, top.digest);
    const names = { tags: tag === undefined ? [] : [tag], digest };
    const record: ImageRecord = await storeIndex(engine, { plan, content, image }, names);
    const status = isKept && before?.image === record.id ? "Image is up to date" : "Downloaded newer image";
    return { record, status, reference: named, digest: top.digest };
  } finally {
    stack?.abort();
    content.abort();
    held.release();
  }
}

function isWhollyKept(engine: Engine, { top, entries }: IndexPlan, before: ImageName | undefined): boolean {
  if (before === undefined) return false;
  const here = new IndexTable(engine.database).get(top.digest)?.entries ?? [];
  return entries.every(({ fetched }) => here.some(({ digest }) => digest === fetched.digest));
}
