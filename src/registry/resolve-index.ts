/**
 * From an index to everything that has to be fetched to keep it: the manifests of all of its platforms, or of some.
 *
 * Promises: those of resolve.ts for each of its images; of what is no image (an attestation) the manifest's bytes have the
 * digest that led to them, and no more is asked. A manifest that is listed twice is fetched once.
 */
import { BockerError } from "../base/errors.ts";
import { type Descriptor, LIST_MAX, type Platform } from "../spec/descriptor.ts";
import { type ImageIndex, type ImageManifest, parseManifest } from "../spec/image-manifest.ts";
import { DOCKER_CONFIG, isIndexType, isLayerType, isManifestType, OCI_CONFIG } from "../spec/media-types.ts";
import type { FetchedManifest } from "./client.ts";
import { hostPlatform, noMatch, normalizePlatform, platformMatches, selectManifest } from "./platform.ts";
import { DEPTH_MAX, fetchEntry, type ImagePlan, planOf, type Source } from "./resolve.ts";

/** Something that an index lists. */
export interface EntryPlan {
  fetched: FetchedManifest;
  /** The configuration, and the layers, the lowest first; none of an index. */
  blobs: Descriptor[];
  /** Where it is one. */
  image?: { platform: Platform; plan: ImagePlan };
}

export interface IndexPlan {
  top: FetchedManifest;
  /** In the order of the index; what a nested index lists comes before it. */
  entries: EntryPlan[];
}

export interface IndexChoice {
  /** What is wanted of it; undefined for all. */
  platforms: readonly Platform[] | undefined;
  /** False for a manifest that cannot be had, and is passed over where all are wanted. */
  isThere?: (entry: Descriptor) => boolean;
}

/** Image configurations are also those of attestations (buildkit): then the layers are something else. */
function isImage({ config, layers }: ImageManifest): boolean {
  const isConfig = config.mediaType === OCI_CONFIG || config.mediaType === DOCKER_CONFIG;
  return isConfig && layers.every(({ mediaType }) => isLayerType(mediaType));
}

/** What is taken of an index, in its order, and for which platforms; undefined for all. */
function chosen(index: ImageIndex, wanted: readonly Platform[] | undefined) {
  const found = new Map<Descriptor, Platform[] | undefined>();
  if (wanted === undefined) for (const entry of index.manifests) found.set(entry, undefined);
  const images = index.manifests.filter(
    ({ mediaType }) => isManifestType(mediaType) || isIndexType(mediaType),
  );
  for (const platform of wanted ?? []) {
    const entry = selectManifest(images, platform);
    found.set(entry, [...(found.get(entry) ?? []), platform]);
  }
  return index.manifests.flatMap((entry) => (found.has(entry) ? [{ entry, wanted: found.get(entry) }] : []));
}

class Walk {
  readonly #source: Source;
  readonly #top: FetchedManifest;
  readonly #isThere: NonNullable<IndexChoice["isThere"]>;
  readonly entries: EntryPlan[] = [];
  readonly #seen = new Set<string>();

  constructor(source: Source, top: FetchedManifest, isThere: IndexChoice["isThere"]) {
    this.#source = source;
    this.#top = top;
    this.#isThere = isThere ?? (() => true);
  }

  async index(index: ImageIndex, wanted: readonly Platform[] | undefined, depth: number): Promise<void> {
    if (depth > DEPTH_MAX)
      throw new BockerError("corrupt", `the image index is nested deeper than ${DEPTH_MAX} levels`);
    for (const { entry, wanted: own } of chosen(index, wanted)) {
      // What was asked for by its platform is not passed over: then its source says that it lacks it.
      if (this.#seen.has(entry.digest) || (own === undefined && !this.#isThere(entry))) continue;
      this.#seen.add(entry.digest);
      if (this.#seen.size > LIST_MAX)
        throw new BockerError("corrupt", `the image index lists more than ${LIST_MAX} manifests`);
      const fetched = await fetchEntry(this.#source, entry);
      const document = parseManifest(fetched.bytes, fetched.mediaType);
      if (document.kind === "index") await this.index(document.index, own, depth + 1);
      this.entries.push(
        document.kind === "index"
          ? { fetched, blobs: [] }
          : await this.#manifest(entry, fetched, document.manifest, own),
      );
    }
  }

  async #manifest(
    entry: Descriptor,
    fetched: FetchedManifest,
    manifest: ImageManifest,
    wanted: readonly Platform[] | undefined,
  ): Promise<EntryPlan> {
    const blobs = [manifest.config, ...manifest.layers];
    // One that was asked for by its platform has to be an image: planOf refuses what is none.
    if (wanted === undefined && !isImage(manifest)) return { fetched, blobs };
    const plan = await planOf(this.#source, this.#top.digest, fetched, manifest);
    const { os, architecture, variant } = plan.config.document;
    const platform = entry.platform ?? { os, architecture, ...(variant === undefined ? {} : { variant }) };
    const other = wanted?.find((one) => !platformMatches(one, platform));
    if (other !== undefined) throw noMatch(normalizePlatform(other));
    return { fetched, blobs, image: { platform, plan } };
  }
}

/**
 * Everything that is to be kept of the index in `top`.
 * @throws BockerError "not-found" for a platform that it does not have, "corrupt", "unsupported"
 */
export async function resolveIndex(
  source: Source,
  top: FetchedManifest,
  { platforms, isThere }: IndexChoice,
): Promise<IndexPlan> {
  const document = parseManifest(top.bytes, top.mediaType);
  if (document.kind !== "index") throw new BockerError("internal", `${top.digest} is no index`);
  const walk = new Walk(source, top, isThere);
  await walk.index(document.index, platforms, 0);
  return { top, entries: walk.entries };
}

/** The one for a platform among images of several; undefined where there is none. The nearest variant comes first. */
export function imageFor<T extends { platform: Platform }>(
  images: readonly T[],
  platform: Platform = hostPlatform(),
): T | undefined {
  try {
    return selectManifest(images, platform);
  } catch (error) {
    if (error instanceof BockerError && error.code === "not-found") return undefined;
    throw error;
  }
}
