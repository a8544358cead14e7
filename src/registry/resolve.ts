/**
 * From a reference to everything that has to be fetched for it.
 *
 * Promises: the manifest's bytes have the digest that led to them, the configuration's too; both are of
 * the kind that was announced; as many layers as the configuration lists, each of a known type.
 */
import { type Digest, digestOf } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { familiarReference, type Reference } from "../base/reference.ts";
import { type Descriptor, formatPlatform, type Platform } from "../spec/descriptor.ts";
import { CONFIG_SIZE_MAX, type ImageConfig, parseImageConfig } from "../spec/image-config.ts";
import { type ImageManifest, parseManifest } from "../spec/image-manifest.ts";
import { DOCKER_CONFIG, isIndexType, isLayerType, isManifestType, OCI_CONFIG } from "../spec/media-types.ts";
import type { FetchedManifest, RegistryClient } from "./client.ts";
import {
  hostPlatform,
  noMatch,
  normalizePlatform,
  parsePlatform,
  platformMatches,
  selectManifest,
} from "./platform.ts";

/** Indexes within indexes. */
export const DEPTH_MAX = 4;

export interface PlannedLayer {
  descriptor: Descriptor;
  /** Of the uncompressed archive, from the configuration. */
  diffId: Digest;
}

export interface ImagePlan {
  /** What the tag points to: an index's digest where it is one. */
  digest: Digest;
  /** Of this platform's image. */
  manifest: { digest: Digest; bytes: Buffer };
  config: { digest: Digest; bytes: Buffer; document: ImageConfig };
  /** The lowest first. */
  layers: PlannedLayer[];
}

/** The client as far as this needs it. */
export type Source = Pick<RegistryClient, "manifest" | "blob">;

interface Selection {
  fetched: FetchedManifest;
  manifest: ImageManifest;
  /** An index led here through an entry that names no platform. */
  unnamed: boolean;
}

async function descend(source: Source, fetched: FetchedManifest, wanted: Platform): Promise<Selection> {
  let current = fetched;
  let unnamed = false;
  for (let depth = 0; depth <= DEPTH_MAX; depth++) {
    const document = parseManifest(current.bytes, current.mediaType);
    if (document.kind === "manifest") return { fetched: current, manifest: document.manifest, unnamed };
    const images = document.index.manifests.filter(
      ({ mediaType }) => isManifestType(mediaType) || isIndexType(mediaType),
    );
    const entry = selectManifest(images, wanted);
    unnamed = entry.platform === undefined || entry.platform === null;
    current = await fetchEntry(source, entry);
  }
  throw new BockerError("corrupt", `the image index is nested deeper than ${DEPTH_MAX} levels`);
}

/** What an entry of an index names, and nothing else. */
export async function fetchEntry(source: Source, entry: Descriptor): Promise<FetchedManifest> {
  const found = await source.manifest(entry.digest);
  if (found.mediaType !== entry.mediaType)
    throw new BockerError(
      "corrupt",
      `the manifest ${entry.digest} was announced as ${entry.mediaType}, but is ${found.mediaType}`,
    );
  if (found.bytes.length !== entry.size)
    throw new BockerError(
      "corrupt",
      `the manifest ${entry.digest} has ${found.bytes.length} bytes instead of ${entry.size}`,
    );
  return found;
}

/** An image's configuration, verified. */
export async function fetchConfig(
  source: Source,
  { digest, size }: Descriptor,
): Promise<ImagePlan["config"]> {
  if (size > CONFIG_SIZE_MAX)
    throw new BockerError("corrupt", `the image configuration is larger than ${CONFIG_SIZE_MAX} bytes`);
  const parts: Uint8Array[] = [];
  for await (const part of source.blob(digest, size)) parts.push(part);
  const bytes = Buffer.concat(parts);
  if (digestOf(bytes) !== digest)
    throw new BockerError("corrupt", `the content of ${digest} has the digest ${digestOf(bytes)}`);
  return { digest, bytes, document: parseImageConfig(bytes) };
}

function checkConfigType({ config, artifactType }: ImageManifest): void {
  if (config.mediaType === OCI_CONFIG || config.mediaType === DOCKER_CONFIG) return;
  throw new BockerError(
    "unsupported",
    `this is no container image, but an artifact of type "${artifactType ?? config.mediaType}"`,
  );
}

/** The layers of a manifest with the diff ids of its configuration. Throws "corrupt", "unsupported". */
export function layersOf(manifest: ImageManifest, config: ImageConfig): PlannedLayer[] {
  const diffIds = config.rootfs.diff_ids ?? [];
  if (diffIds.length !== manifest.layers.length)
    throw new BockerError(
      "corrupt",
      `the image configuration lists ${diffIds.length} layers, but the manifest ${manifest.layers.length}`,
    );
  return manifest.layers.map((descriptor, index) => {
    if (!isLayerType(descriptor.mediaType))
      throw new BockerError("unsupported", `unsupported layer media type "${descriptor.mediaType}"`);
    return { descriptor, diffId: diffIds[index]! };
  });
}

/** A manifest with its configuration. @throws BockerError "unsupported" for an artifact, "corrupt" */
export async function planOf(
  source: Source,
  top: Digest,
  fetched: FetchedManifest,
  manifest: ImageManifest,
): Promise<ImagePlan> {
  checkConfigType(manifest);
  const config = await fetchConfig(source, manifest.config);
  return {
    digest: top,
    manifest: { digest: fetched.digest, bytes: fetched.bytes },
    config,
    layers: layersOf(manifest, config.document),
  };
}

function checkPlatform(
  reference: Reference,
  config: ImageConfig,
  wanted: Platform,
  must: "match" | "match-index" | "run",
): void {
  const actual: Platform = { os: config.os, architecture: config.architecture };
  if (config.variant !== undefined) actual.variant = config.variant;
  if (config.os !== "linux")
    throw new BockerError(
      "unsupported",
      `image operating system "${config.os}" cannot be used on this platform`,
    );
  if (must === "run" || platformMatches(wanted, actual)) return;
  if (must === "match-index") throw noMatch(normalizePlatform(wanted));
  throw new BockerError(
    "not-found",
    `image with reference ${familiarReference(reference)} was found but does not match the specified platform: wanted ${formatPlatform(wanted)}, actual: ${formatPlatform(actual)}`,
  );
}

/**
 * Resolves a reference that has a tag or a digest (the digest counts where it has both).
 * @param platform the value of --platform; without one, an index is asked for this machine's, and an image
 *   without an index is taken as it is, as Docker does
 * @param top what the reference points to, where it has been fetched already
 */
export async function resolveImage(
  source: Source,
  reference: Reference,
  platform: string | undefined,
  top?: FetchedManifest,
): Promise<ImagePlan> {
  const own = hostPlatform();
  const wanted = platform === undefined ? own : parsePlatform(platform, own);
  const found = top ?? (await source.manifest(reference.digest ?? reference.tag!));
  const { fetched, manifest, unnamed } = await descend(source, found, wanted);
  const plan = await planOf(source, found.digest, fetched, manifest);
  checkPlatform(
    reference,
    plan.config.document,
    wanted,
    unnamed ? "match-index" : platform === undefined ? "run" : "match",
  );
  return plan;
}
