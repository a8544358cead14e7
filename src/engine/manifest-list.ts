/**
 * `manifest create`, `annotate`, `push`, `rm`: manifest lists that are put together here before a registry gets them.
 * Each is a file under the data root, as docker's command keeps them in its own directory (docker/cli, cli/manifest/store).
 */
import { join } from "node:path";
import * as v from "valibot";
import { type Digest, digestHex, digestOf } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import {
  familiarReference,
  formatReference,
  parseReference,
  type Reference,
  repositoryName,
  withDefaultTag,
} from "../base/reference.ts";
import { makeDirectories, readTextIfExists, removeFile } from "../os/host-files.ts";
import { replaceFile } from "../os/replace-file.ts";
import { type FetchedManifest, RegistryClient } from "../registry/client.ts";
import { RegistryPusher } from "../registry/pusher.ts";
import { fetchConfig } from "../registry/resolve.ts";
import type { ClientOptions } from "../registry/session.ts";
import { type Descriptor, descriptorSchema, LIST_MAX, type Platform } from "../spec/descriptor.ts";
import { type ImageManifest, MANIFEST_SIZE_MAX, parseManifest } from "../spec/image-manifest.ts";
import { parseJson } from "../spec/json.ts";
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX } from "../spec/media-types.ts";
import type { Engine } from "./engine.ts";
import { isListablePlatform } from "./list-platforms.ts";

const entrySchema = v.looseObject({
  /** The full name of the image, with its tag or digest. */
  name: v.string(),
  /** With its platform. */
  descriptor: descriptorSchema,
  /** The manifest's own bytes, in base64. */
  bytes: v.string(),
});
const listSchema = v.looseObject({
  name: v.string(),
  entries: v.pipe(v.array(entrySchema), v.maxLength(LIST_MAX)),
});

export type ListEntry = v.InferOutput<typeof entrySchema>;
export type ManifestList = v.InferOutput<typeof listSchema>;

/** How registries are spoken to. */
export type Connection = Pick<ClientOptions, "insecure" | "signal">;

/** What `annotate` sets; undefined or "" leaves it as it is, and features are added. */
export interface Annotation {
  os?: string | undefined;
  architecture?: string | undefined;
  variant?: string | undefined;
  osVersion?: string | undefined;
  osFeatures?: readonly string[] | undefined;
}

const fullName = (text: string) => formatReference(withDefaultTag(parseReference(text)));

function listPath(engine: Engine, name: string): string {
  return join(engine.paths.data, "manifests", `${digestHex(digestOf(name))}.json`);
}

/** The list of this name; undefined where there is none here. Throws "corrupt" for what is no list. */
export function findList(engine: Engine, text: string): ManifestList | undefined {
  const path = listPath(engine, fullName(text));
  const content = readTextIfExists(path);
  if (content === undefined) return undefined;
  const result = v.safeParse(listSchema, parseJson(Buffer.from(content), path, LIST_MAX * MANIFEST_SIZE_MAX));
  if (result.success) return result.output;
  throw new BockerError(
    "corrupt",
    `${path} is no manifest list: remove it with 'bocker manifest rm ${text}'`,
  );
}

function requireList(engine: Engine, text: string): ManifestList {
  const list = findList(engine, text);
  if (list !== undefined) return list;
  throw new BockerError(
    "not-found",
    `No such manifest: ${familiarReference(parseReference(fullName(text)))}`,
  );
}

function saveList(engine: Engine, list: ManifestList): void {
  const path = listPath(engine, list.name);
  engine.ensureDirectories();
  makeDirectories(join(engine.paths.data, "manifests"), 0o700);
  replaceFile(path, JSON.stringify(list), { durable: true });
}

/** What a registry has under a name: a manifest or an index. */
export function fetchManifest(text: string, connection: Connection): Promise<FetchedManifest> {
  const reference = withDefaultTag(parseReference(text));
  return new RegistryClient(reference, connection).manifest(reference.digest ?? reference.tag!);
}

/** What a registry has that refers to the manifest or index of this name. */
export async function fetchReferrers(text: string, connection: Connection): Promise<Descriptor[]> {
  const reference = withDefaultTag(parseReference(text));
  const client = new RegistryClient(reference, connection);
  return client.referrers(reference.digest ?? (await client.manifest(reference.tag!)).digest);
}

/** The document of one image, and the platform that its configuration names. */
async function fetchEntry(text: string, connection: Connection): Promise<ListEntry> {
  const reference = withDefaultTag(parseReference(text));
  const client = new RegistryClient(reference, connection);
  const { bytes, digest, mediaType } = await client.manifest(reference.digest ?? reference.tag!);
  const document = parseManifest(bytes, mediaType);
  if (document.kind === "index")
    throw new BockerError("invalid", `${text} is itself a manifest list: name the images in it`);
  const { document: config } = await fetchConfig(client, document.manifest.config);
  const platform: Platform = { architecture: config.architecture, os: config.os };
  if (config.variant !== undefined) platform.variant = config.variant;
  return {
    name: formatReference(reference),
    descriptor: { mediaType, digest, size: bytes.length, platform },
    bytes: bytes.toString("base64"),
  };
}

/**
 * Makes a list of images that are in a registry; returns its full name.
 * @param amend a list that is there already gets these, too
 */
export async function createList(
  engine: Engine,
  text: string,
  images: readonly string[],
  amend: boolean,
  connection: Connection,
): Promise<string> {
  const name = fullName(text);
  const before = findList(engine, name);
  if (before !== undefined && !amend)
    throw new BockerError("conflict", "refusing to amend an existing manifest list with no --amend flag");
  const added: ListEntry[] = [];
  for (const image of images) added.push(await fetchEntry(image, connection));
  const isReplaced = ({ name: own }: ListEntry) => added.some((entry) => entry.name === own);
  saveList(engine, {
    name,
    entries: [...(before?.entries ?? []).filter((entry) => !isReplaced(entry)), ...added],
  });
  return name;
}

export function findEntry(engine: Engine, text: string, image: string): ListEntry {
  const entry = requireList(engine, text).entries.find(({ name }) => name === fullName(image));
  if (entry !== undefined) return entry;
  throw new BockerError("not-found", `manifest for image ${image} does not exist in ${text}`);
}

/** Corrects what the list says of an image's platform. Throws "invalid" for one that Docker does not know. */
export function annotateEntry(engine: Engine, text: string, image: string, set: Annotation): void {
  const { name, descriptor } = findEntry(engine, text, image);
  const platform: Platform = {
    ...(descriptor.platform ?? { architecture: "", os: "" }),
    ...(set.os ? { os: set.os } : {}),
    ...(set.architecture ? { architecture: set.architecture } : {}),
    ...(set.variant ? { variant: set.variant } : {}),
    ...(set.osVersion ? { "os.version": set.osVersion } : {}),
  };
  const features = new Set([...(platform["os.features"] ?? []), ...(set.osFeatures ?? [])]);
  if (features.size > 0) platform["os.features"] = [...features];
  if (!isListablePlatform(platform.os, platform.architecture))
    throw new BockerError(
      "invalid",
      `manifest entry for image has unsupported os/arch combination: ${platform.os}/${platform.architecture}`,
    );
  const list = requireList(engine, text);
  const entries = list.entries.map((entry) =>
    entry.name === name ? { ...entry, descriptor: { ...descriptor, platform } } : entry,
  );
  saveList(engine, { ...list, entries });
}

/** The index that a registry would get: Docker's kind when all images are, else OCI's. */
export function indexOf({ entries }: ManifestList): { mediaType: string; bytes: Buffer } {
  const isDocker = entries.every(({ descriptor }) => descriptor.mediaType === DOCKER_MANIFEST);
  const mediaType = isDocker ? DOCKER_LIST : OCI_INDEX;
  const manifests = entries.map(({ descriptor }): Descriptor => descriptor);
  return {
    mediaType,
    bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }, null, 3)),
  };
}

/** An image of another repository becomes one of this repository, without its layers coming here. */
async function copyImage(
  pusher: RegistryPusher,
  from: Reference,
  { descriptor, bytes }: ListEntry,
): Promise<void> {
  const content = Buffer.from(bytes, "base64");
  const { manifest } = parseManifest(content, descriptor.mediaType) as { manifest: ImageManifest };
  for (const { digest } of [manifest.config, ...manifest.layers])
    if (!(await pusher.has(digest))) await pusher.mount(digest, from.path);
  await pusher.manifest(descriptor.digest, descriptor.mediaType, content);
}

/**
 * Sends a list to the registry that its name says; its images are there already, in this repository or in others.
 * @throws BockerError "invalid" for images of other registries, or without a platform
 */
export async function pushList(engine: Engine, text: string, connection: Connection): Promise<Digest> {
  const list = requireList(engine, text);
  const target = parseReference(list.name);
  for (const { name, descriptor } of list.entries) {
    if (parseReference(name).domain !== target.domain)
      throw new BockerError(
        "invalid",
        `cannot use source images from a different registry than the target image: ${name} is not at ${target.domain}`,
      );
    const { os = "", architecture = "" } = descriptor.platform ?? {};
    if (os === "" || architecture === "")
      throw new BockerError(
        "invalid",
        `manifest ${name} must have an OS and Architecture to be pushed to a registry`,
      );
  }
  const pusher = new RegistryPusher(target, connection);
  for (const entry of list.entries) {
    const from = parseReference(entry.name);
    if (repositoryName(from) !== repositoryName(target)) await copyImage(pusher, from, entry);
  }
  const { mediaType, bytes } = indexOf(list);
  return pusher.manifest(target.tag ?? "latest", mediaType, bytes);
}

/** Returns its whole name. Throws "not-found". A list that cannot be read goes, too. With `dry` it stays. */
export function removeList(engine: Engine, text: string, dry = false): string {
  const name = fullName(text);
  const path = listPath(engine, name);
  if (readTextIfExists(path) === undefined) requireList(engine, text);
  if (!dry) removeFile(path);
  return name;
}
