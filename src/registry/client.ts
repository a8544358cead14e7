/**
 * The pull side of the OCI distribution protocol, for one repository.
 *
 * Promises, besides those of RegistrySession: a manifest is returned only when its bytes have the digest that was
 * asked for or announced. Blobs are not hashed here, but never longer than expected.
 */
import { type Digest, digestOf, isDigest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { isTag, type Reference, repositoryName } from "../base/reference.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { MANIFEST_SIZE_MAX, parseManifest } from "../spec/image-manifest.ts";
import {
  bareMediaType,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  isIndexType,
  isManifestType,
  isSchema1Type,
  OCI_INDEX,
  OCI_MANIFEST,
} from "../spec/media-types.ts";
import { type HttpResponse, readBody } from "./http.ts";
import { listed, pagesOf } from "./pages.ts";
import { waitBeforeRetry, withRetries } from "./retry.ts";
import { type ClientOptions, RegistrySession } from "./session.ts";

/** Progress that makes up for the failures before it: a long download over a bad line may fail often. */
const PROGRESS_RESETS_ATTEMPTS = 8 << 20;

/** What is accepted for a manifest. */
export const MANIFEST_TYPES = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(", ");

/** Bytes as the registry sent them, verified, and what they are. */
export interface FetchedManifest {
  bytes: Buffer;
  digest: Digest;
  mediaType: string;
}

export class RegistryClient {
  readonly #session: RegistrySession;

  /** Of `reference`, domain and path count. */
  constructor(reference: Reference, options: ClientOptions = {}) {
    this.#session = new RegistrySession(reference, "pull", options);
  }

  /** The manifest or index that a tag or a digest names. */
  async manifest(name: string): Promise<FetchedManifest> {
    return withRetries(this.#session.retry, this.#session.signal, async () => {
      const response = await this.#get(`manifests/${name}`, { accept: MANIFEST_TYPES });
      const announced = response.headers["docker-content-digest"];
      const mediaType = bareMediaType(response.headers["content-type"] ?? "");
      const bytes = await readBody(response, MANIFEST_SIZE_MAX, `the manifest of ${this.#name}`);
      return { bytes, mediaType: this.#manifestType(mediaType), digest: verified(bytes, name, announced) };
    });
  }

  /** All tags of the repository, in the registry's order. */
  async tags(): Promise<string[]> {
    const tags: string[] = [];
    for await (const tag of listed(this.#session, "tags/list", "tags", `the tags of ${this.#name}`))
      if (isTag(tag)) tags.push(tag);
    return tags;
  }

  /**
   * What refers to a manifest: signatures, lists of what is in an image, and the like (distribution spec, "Listing
   * Referrers"); in a registry that does not know of it, what the tag of its "Referrers Tag Schema" lists.
   */
  async referrers(subject: Digest): Promise<Descriptor[]> {
    const what = `the referrers of ${subject}`;
    const options = { accept: OCI_INDEX, optional: true };
    const found: Descriptor[] = [];
    let isKnown = false;
    for await (const document of pagesOf(this.#session, `referrers/${subject}`, what, options)) {
      isKnown = true;
      found.push(...indexIn(Buffer.from(JSON.stringify(document)), OCI_INDEX, what));
    }
    if (isKnown) return found;
    try {
      const { bytes, mediaType } = await this.manifest(subject.replace(":", "-"));
      return indexIn(bytes, mediaType, what);
    } catch (error) {
      if (error instanceof BockerError && error.code === "not-found") return [];
      throw error;
    }
  }

  /**
   * The bytes of a blob. What is broken off is continued where it ended. More than `size` bytes, or an end
   * before, is BockerError("corrupt"); the digest is the caller's to check.
   */
  async *blob(digest: Digest, size: number): AsyncGenerator<Uint8Array, void, void> {
    const { retry, signal } = this.#session;
    let offset = 0;
    let attempt = 1;
    for (;;) {
      const start = offset;
      try {
        for await (const chunk of this.#blobFrom(digest, size, offset)) {
          offset += chunk.length;
          if (offset > size) throw new BockerError("corrupt", `${digest} is larger than its ${size} bytes`);
          yield chunk;
        }
        if (offset === size) return;
        throw new BockerError("corrupt", `${digest} has ${offset} bytes instead of ${size}`);
      } catch (error) {
        attempt = offset - start >= PROGRESS_RESETS_ATTEMPTS ? 2 : attempt + 1;
        await waitBeforeRetry(error, attempt, retry, signal);
      }
    }
  }

  get #name(): string {
    return repositoryName(this.#session.reference);
  }

  async *#blobFrom(digest: Digest, size: number, offset: number): AsyncGenerator<Uint8Array, void, void> {
    const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
    const response = await this.#get(`blobs/${digest}`, headers);
    const isPart = response.status === 206;
    if (isPart && !(response.headers["content-range"] ?? "").startsWith(`bytes ${offset}-`)) {
      response.discard();
      throw new BockerError("registry", `${this.#session.reference.domain} sent another part of ${digest}`);
    }
    const length = response.headers["content-length"];
    const expected = isPart ? size - offset : size;
    if (length !== undefined && Number(length) !== expected) {
      response.discard();
      throw new BockerError("corrupt", `${digest} has ${Number(length)} bytes instead of ${expected}`);
    }
    // A server that knows no ranges sends everything again.
    let skip = isPart ? 0 : offset;
    for await (const chunk of response.body) {
      const skipped = Math.min(skip, chunk.length);
      skip -= skipped;
      if (skipped < chunk.length) yield chunk.subarray(skipped);
    }
  }

  #manifestType(mediaType: string): string {
    if (isIndexType(mediaType) || isManifestType(mediaType) || isSchema1Type(mediaType)) return mediaType;
    throw new BockerError(
      "unsupported",
      `unsupported media type "${mediaType}" of the manifest of ${this.#name}`,
    );
  }

  #get(path: string, headers: Record<string, string>): Promise<HttpResponse> {
    return this.#session.request(path, { method: "GET", headers, expected: [200, 206] });
  }
}

/** What an index lists. Throws "registry" for another document. */
function indexIn(bytes: Buffer, mediaType: string, what: string): Descriptor[] {
  const document = parseManifest(bytes, mediaType);
  if (document.kind === "index") return document.index.manifests;
  throw new BockerError("registry", `the registry sent no list of ${what}`);
}

/** The digest of a manifest's bytes, held against the one asked for, else against the one announced. */
function verified(bytes: Buffer, name: string, announced: string | string[] | undefined): Digest {
  const digest = digestOf(bytes);
  const expected = isDigest(name) ? name : announced;
  if (typeof expected === "string" && isDigest(expected) && expected !== digest)
    throw new BockerError("corrupt", `manifest verification failed for digest ${expected}`);
  return digest;
}
