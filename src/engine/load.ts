/** `load`: the images of an archive, with the names that they have there. */
import { type Digest, digestOf } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { familiarReference, parseReference } from "../base/reference.ts";
import { ReceivedArchive } from "../images/archive/read.ts";
import { NAME_ANNOTATION, TAG_ANNOTATION } from "../images/archive/write.ts";
import { compressionOf } from "../images/layer/inflate.ts";
import type { Ingest } from "../images/store.ts";
import type { FetchedManifest } from "../registry/client.ts";
import { hostPlatform, selectManifest } from "../registry/platform.ts";
import { type ImagePlan, resolveImage, type Source } from "../registry/resolve.ts";
import { resolveIndex } from "../registry/resolve-index.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { type DockerArchiveEntry, parseDockerArchive } from "../spec/docker-archive.ts";
import { parseManifest } from "../spec/image-manifest.ts";
import {
  isIndexType,
  isManifestType,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
} from "../spec/media-types.ts";
import type { ImageRecord } from "../state/images.ts";
import { abortable } from "./abortable.ts";
import type { Engine } from "./engine.ts";
import { recordImageEvent } from "./image-events.ts";
import { removeUnfinished } from "./image-lock.ts";
import { platformsOf } from "./kept-index.ts";
import { LayerStack } from "./layers.ts";
import { PackedContent } from "./packed-content.ts";
import { blobsOf, ownImage } from "./pull-index.ts";
import { tagName } from "./record-image.ts";
import { freeLooseIndexes } from "./remove-image.ts";
import { storeImage } from "./store-image.ts";
import { storeIndex } from "./store-index.ts";
import { sourceOf } from "./unpack-ahead.ts";

export interface LoadOptions {
  /** os/arch[/variant], where the archive has several; without any an index is kept with all that the archive has of it. */
  platforms?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

export interface LoadedImage {
  record: ImageRecord;
  /** As people write them. */
  names: string[];
  /** Names that were another image's until now, with its id. */
  taken: { name: string; id: string }[];
}

/** What is to be loaded: a manifest, and the names that it gets. */
interface Wanted {
  manifest: Descriptor;
  names: string[];
}

const LAYER_TYPES = { none: OCI_LAYER, gzip: OCI_LAYER_GZIP, zstd: OCI_LAYER_ZSTD };

function lacks(what: string): BockerError {
  return new BockerError("corrupt", `the archive lacks ${what}`);
}

/** An archive as something that images are resolved from. */
class ArchiveSource implements Source {
  readonly archive: ReceivedArchive;
  /** Manifests by digest that the archive does not have as files. */
  readonly #made = new Map<string, Buffer>();

  constructor(archive: ReceivedArchive) {
    this.archive = archive;
  }

  async manifest(digest: string): ReturnType<Source["manifest"]> {
    const file = this.archive.blob(digest as Digest);
    const bytes = this.#made.get(digest) ?? (file && this.archive.document(file));
    if (bytes === undefined) throw lacks(`the manifest ${digest}`);
    return { bytes, digest: digest as Digest, mediaType: parseManifest(bytes).mediaType };
  }

  blob(digest: Digest): AsyncGenerator<Uint8Array, void, void> {
    const file = this.archive.blob(digest);
    if (file === undefined) throw lacks(`the content ${digest}`);
    return sourceOf(file.stream());
  }

  #file(name: string): Ingest {
    const file = this.archive.file(name);
    if (file === undefined) throw lacks(`the file ${name}`);
    return file;
  }

  /** Whether a manifest is there, with all that it refers to; of an index that is in an index only its document. */
  hasAllOf({ digest, mediaType }: Descriptor): boolean {
    const file = this.archive.blob(digest);
    if (file === undefined || isIndexType(mediaType)) return file !== undefined;
    if (!isManifestType(mediaType)) return false;
    const blobs = this.#blobsOf(digest, mediaType);
    return blobs.every((blob) => this.archive.blob(blob.digest) !== undefined);
  }

  /** Configuration and layers of a manifest; of what is none, and of what is not there, nothing. */
  #blobsOf(digest: Digest, mediaType?: string): Descriptor[] {
    const file = this.archive.blob(digest);
    if (file === undefined) return [];
    const document = parseManifest(this.archive.document(file), mediaType);
    return document.kind === "manifest" ? [document.manifest.config, ...document.manifest.layers] : [];
  }

  /** Digests of the configurations that an entry of index.json leads to. */
  configsOf({ digest }: Descriptor): Set<string | undefined> {
    const file = this.archive.blob(digest);
    if (file === undefined) return new Set();
    const document = parseManifest(this.archive.document(file));
    const manifests =
      document.kind === "index" ? document.index.manifests.map((entry) => entry.digest) : [digest];
    return new Set([...new Set(manifests)].flatMap((manifest) => this.#blobsOf(manifest)[0]?.digest ?? []));
  }

  /** Makes the manifest that an entry of Docker's manifest.json amounts to. */
  add({ Config, Layers }: DockerArchiveEntry): Descriptor {
    const layers = (Layers ?? []).map((name) => {
      const file = this.#file(name);
      const head = file.stream().next().value ?? new Uint8Array();
      return { mediaType: LAYER_TYPES[compressionOf(head)], ...file.verify() };
    });
    const config = { mediaType: OCI_CONFIG, ...this.#file(Config).verify() };
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }));
    const descriptor = { mediaType: OCI_MANIFEST, digest: digestOf(bytes), size: bytes.length };
    this.#made.set(descriptor.digest, bytes);
    return descriptor;
  }
}

/** The name that an entry of index.json says; one of a tag alone is none (image-spec, annotations.md). */
function annotatedName({ annotations }: Descriptor): string | undefined {
  const full = annotations?.[NAME_ANNOTATION];
  if (full !== undefined) return full;
  const name = annotations?.[TAG_ANNOTATION];
  return name !== undefined && /[/:]/.test(name) ? name : undefined;
}

/** Of several entries with one name, those of other platforms do not count. */
function chosenOf(entries: readonly Descriptor[], platforms: readonly string[]): Descriptor[] {
  const [wanted = hostPlatform()] = platformsOf(platforms);
  const groups = new Map<string, Descriptor[]>();
  for (const [at, entry] of entries.entries()) {
    const isOfPlatform = entry.platform !== undefined && entry.platform !== null;
    const group = annotatedName(entry) ?? (isOfPlatform ? "" : `#${at}`);
    groups.set(group, [...(groups.get(group) ?? []), entry]);
  }
  return [...groups.values()].map((group) =>
    group.length === 1 ? group[0]! : selectManifest(group, wanted),
  );
}

/** By index.json, where it is there and whole: then digests stay what they were. Else by manifest.json. */
function wantedImages(source: ArchiveSource, platforms: readonly string[]): Wanted[] {
  const { archive } = source;
  const [index, docker] = [archive.file("index.json"), archive.file("manifest.json")];
  if (index === undefined && docker === undefined)
    throw new BockerError(
      "invalid",
      "the archive is none of images: it has neither index.json nor manifest.json (a filesystem is what `bocker import` is for)",
    );
  const entries = docker === undefined ? [] : parseDockerArchive(archive.document(docker));
  if (index !== undefined) {
    const document = parseManifest(archive.document(index));
    const listed = document.kind === "index" ? chosenOf(document.index.manifests, platforms) : [];
    if (listed.length > 0 && listed.every(({ digest }) => archive.blob(digest) !== undefined))
      return listed.map((manifest) => ({ manifest, names: namesOf(source, manifest, entries) }));
  }
  if (docker === undefined) throw lacks("the manifests that its index.json lists");
  return entries.map((entry) => ({ manifest: source.add(entry), names: entry.RepoTags ?? [] }));
}

/** The names of an entry of index.json; where it has none, those of manifest.json for the same configuration. */
function namesOf(source: ArchiveSource, entry: Descriptor, docker: readonly DockerArchiveEntry[]): string[] {
  const name = annotatedName(entry);
  if (name !== undefined) return [name];
  const configs = source.configsOf(entry);
  return docker
    .filter(({ Config }) => configs.has(source.archive.file(Config)?.verify().digest))
    .flatMap(({ RepoTags }) => RepoTags ?? []);
}

/** A blob that a stack has twice is published once. */
function stackOf(engine: Engine, source: ArchiveSource, plan: ImagePlan, abort: AbortController): LayerStack {
  const used = new Set<string>();
  const requests = plan.layers.map(({ descriptor: { digest, size }, diffId }) => {
    const received = used.has(digest) ? undefined : source.archive.blob(digest);
    used.add(digest);
    return { diffId, blob: { digest, size }, source: () => source.blob(digest), received };
  });
  return new LayerStack(engine, requests, () => undefined, abort);
}

/** An index is kept: all that the archive has of it, or several of its platforms. Nobody could name one without a name. */
function isToBeKept(top: FetchedManifest, tags: readonly string[], platforms: readonly string[]): boolean {
  return isIndexType(top.mediaType) && tags.length > 0 && platforms.length !== 1;
}

async function storeOne(
  engine: Engine,
  source: ArchiveSource,
  top: FetchedManifest,
  tags: string[],
  platforms: readonly string[],
  abort: AbortController,
): Promise<ImageRecord> {
  if (!isToBeKept(top, tags, platforms)) {
    const reference = parseReference(`archive@${top.digest}`);
    const plan = await resolveImage(source, reference, platforms[0], top);
    const stack = stackOf(engine, source, plan, abort);
    try {
      return await storeImage(engine, plan, stack, { tags });
    } finally {
      stack.abort();
    }
  }
  const plan = await resolveIndex(source, top, {
    platforms: platforms.length === 0 ? undefined : platformsOf(platforms),
    isThere: (entry) => source.hasAllOf(entry),
  });
  if (plan.entries.length === 0) throw lacks(`everything that the index ${top.digest} lists`);
  const own = ownImage(plan, undefined);
  const requests = blobsOf(plan).map((blob) => ({
    blob,
    source: () => source.blob(blob.digest),
    received: source.archive.blob(blob.digest),
  }));
  const content = new PackedContent(engine, requests, () => undefined, abort);
  const image = typeof own === "string" ? own : { plan: own, stack: stackOf(engine, source, own, abort) };
  try {
    return await storeIndex(engine, { plan, content, image }, { tags });
  } finally {
    if (typeof image !== "string") image.stack.abort();
    content.abort();
  }
}

async function loadOne(
  engine: Engine,
  source: ArchiveSource,
  wanted: Wanted,
  options: LoadOptions,
): Promise<LoadedImage> {
  const top = await source.manifest(wanted.manifest.digest);
  const tags = wanted.names.map(tagName);
  const before = tags.map((tag) => engine.images.byTag(tag)?.id);
  return abortable(options.signal, async (abort) => {
    const record = await storeOne(engine, source, top, tags, options.platforms ?? [], abort);
    recordImageEvent(engine, record, "load");
    const names = tags.map((tag) => familiarReference(parseReference(tag)));
    const taken = names.flatMap((name, at) => {
      const id = before[at];
      return id === undefined || id === record.id ? [] : [{ name, id }];
    });
    return { record, names, taken };
  });
}

/**
 * Loads the images of an archive, each as soon as it is there.
 * @param archive compressed or not
 * @throws BockerError "invalid" for an archive of something else, "corrupt", "unsupported", "no-space", "interrupted"
 */
export async function* loadImages(
  engine: Engine,
  archive: AsyncIterable<Uint8Array>,
  options: LoadOptions = {},
): AsyncGenerator<LoadedImage, void, void> {
  engine.ensureDirectories();
  removeUnfinished(engine);
  const received = await ReceivedArchive.read(engine.content, archive, options.signal);
  try {
    const source = new ArchiveSource(received);
    const loaded = new Map<string, LoadedImage>();
    for (const wanted of wantedImages(source, options.platforms ?? [])) {
      const image = await loadOne(engine, source, wanted, options);
      loaded.set(image.record.id, image);
      yield image;
    }
    freeLooseIndexes(engine);
    if (loaded.size === 0) throw new BockerError("invalid", "the archive has no images");
  } finally {
    received.close();
  }
}
