/**
 * The pull side of the OCI distribution protocol, for one repository.
 *
 * Promises: only the registry, the token server that it names and hosts it redirects to are contacted; no
 * credentials go along with a redirect; https never becomes http; every failure is a BockerError; a
 * manifest is returned only when its bytes have the digest that was asked for or announced. Blobs are not
 * hashed here, but never longer than expected.
 */
import { type Digest, digestOf, isDigest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { type Reference, repositoryName } from "../base/reference.ts";
import { MANIFEST_SIZE_MAX } from "../spec/image-manifest.ts";
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
import { isLoopbackHost } from "./address.ts";
import { Authorizer } from "./auth.ts";
import { CERTIFICATE_DIRECTORY, tlsMaterial } from "./certificates.ts";
import { dockerConfigPath, findCredentials } from "./credentials.ts";
import { isSameOrigin, originsOf } from "./endpoint.ts";
import { NoHttpsError, retryAfterOf, TransientError } from "./failure.ts";
import { exchange, type HttpResponse, readBody } from "./http.ts";
import { pullError } from "./pull-error.ts";
import { DEFAULT_RETRY, type RetryPolicy, waitBeforeRetry, withRetries } from "./retry.ts";

const REDIRECTS_MAX = 10;
const ERROR_BODY_MAX = 64 << 10;
/** Progress that makes up for the failures before it: a long download over a bad line may fail often. */
const PROGRESS_RESETS_ATTEMPTS = 8 << 20;

const ACCEPT = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(", ");
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const TRANSIENT = new Set([408, 429, 500, 502, 503, 504]);

export interface ClientOptions {
  signal?: AbortSignal | undefined;
  retry?: RetryPolicy;
  /** Instead of process.env: DOCKER_CONFIG, BOCKER_CERTS_DIR, SSL_CERT_FILE and NODE_EXTRA_CA_CERTS count. */
  environment?: NodeJS.ProcessEnv;
}

/** Bytes as the registry sent them, verified, and what they are. */
export interface FetchedManifest {
  bytes: Buffer;
  digest: Digest;
  mediaType: string;
}

interface Connection {
  origin: URL;
  authorizer: Authorizer;
}

type Headers = Record<string, string>;

export class RegistryClient {
  readonly #reference: Reference;
  readonly #options: ClientOptions;
  readonly #retry: RetryPolicy;
  readonly #environment: NodeJS.ProcessEnv;
  #connection: Promise<Connection> | undefined;
  #tls: ReturnType<typeof tlsMaterial> | undefined;

  /** Of `reference`, domain and path count. */
  constructor(reference: Reference, options: ClientOptions = {}) {
    this.#reference = reference;
    this.#options = options;
    this.#retry = options.retry ?? DEFAULT_RETRY;
    this.#environment = options.environment ?? process.env;
  }

  /** The manifest or index that a tag or a digest names. */
  async manifest(name: string): Promise<FetchedManifest> {
    return withRetries(this.#retry, this.#options.signal, async () => {
      const response = await this.#get(`manifests/${name}`, { accept: ACCEPT });
      const announced = response.headers["docker-content-digest"];
      const mediaType = bareMediaType(response.headers["content-type"] ?? "");
      const bytes = await readBody(response, MANIFEST_SIZE_MAX, `the manifest of ${this.#name}`);
      return { bytes, mediaType: this.#manifestType(mediaType), digest: verified(bytes, name, announced) };
    });
  }

  /**
   * The bytes of a blob. What is broken off is continued where it ended. More than `size` bytes, or an end
   * before, is BockerError("corrupt"); the digest is the caller's to check.
   */
  async *blob(digest: Digest, size: number): AsyncGenerator<Uint8Array, void, void> {
    const { signal } = this.#options;
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
        await waitBeforeRetry(error, attempt, this.#retry, signal);
      }
    }
  }

  get #name(): string {
    return repositoryName(this.#reference);
  }

  async *#blobFrom(digest: Digest, size: number, offset: number): AsyncGenerator<Uint8Array, void, void> {
    const headers: Headers = offset === 0 ? {} : { range: `bytes=${offset}-` };
    const response = await this.#get(`blobs/${digest}`, headers);
    const isPart = response.status === 206;
    if (isPart && !(response.headers["content-range"] ?? "").startsWith(`bytes ${offset}-`)) {
      response.discard();
      throw new BockerError("registry", `${this.#reference.domain} sent another part of ${digest}`);
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

  /** A successful answer to GET /v2/NAME/`path`; errors in Docker's words. */
  async #get(path: string, headers: Headers): Promise<HttpResponse> {
    this.#connection ??= this.#connect().catch((error: unknown) => {
      this.#connection = undefined;
      throw error;
    });
    const { origin, authorizer } = await this.#connection;
    const url = new URL(`/v2/${this.#reference.path}/${path}`, origin);
    // A second 401 is another token's expiry at worst; a third would go on for ever.
    for (let answers = 0; ; answers++) {
      const authorization = authorizer.header;
      const response = await this.#follow(url, headers, authorization);
      if (response.status === 200 || response.status === 206) return response;
      const challenge = response.headers["www-authenticate"];
      const body = (
        await readBody(response, ERROR_BODY_MAX, "the error").catch(() => Buffer.alloc(0))
      ).toString();
      if (
        response.status === 401 &&
        answers < 2 &&
        (await this.#answer(authorizer, challenge, authorization))
      )
        continue;
      const error = pullError(this.#reference, response.status, body);
      if (!TRANSIENT.has(response.status)) throw error;
      const retryAfter = retryAfterOf(response.headers["retry-after"], Date.now());
      throw new TransientError(error.message, { retryAfter });
    }
  }

  async #answer(
    authorizer: Authorizer,
    challenge: string | undefined,
    rejected: string | undefined,
  ): Promise<boolean> {
    try {
      return await authorizer.answer(challenge, rejected);
    } catch (error) {
      if (error instanceof BockerError && error.code === "denied")
        throw new BockerError("denied", `${pullError(this.#reference, 401, "").message}: ${error.message}`);
      throw error;
    }
  }

  /** Follows redirects, without the Authorization from the first other origin on. */
  async #follow(start: URL, headers: Headers, authorization: string | undefined): Promise<HttpResponse> {
    let url = start;
    let sent: Headers = authorization === undefined ? headers : { ...headers, authorization };
    for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
      const isOwn = isSameOrigin(url, start);
      if (!isOwn) sent = headers;
      const response = await exchange({
        method: "GET",
        url,
        headers: sent,
        tls: isOwn || this.#tls === undefined ? this.#tls : { ca: this.#tls.ca },
        signal: this.#options.signal,
        publicOnly: !isOwn && !isLoopbackHost(start.hostname),
      });
      const location = response.headers.location;
      if (!REDIRECTS.has(response.status) || location === undefined) return response;
      response.discard();
      url = this.#target(location, url);
    }
    throw new BockerError("registry", `${start.host} redirects in circles`);
  }

  #target(location: string, from: URL): URL {
    const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    const allowed = from.protocol === "https:" ? ["https:"] : ["http:", "https:"];
    if (url === undefined || !allowed.includes(url.protocol))
      throw new BockerError(
        "denied",
        `refusing to follow a redirect of ${from.host} to ${url?.origin ?? location}`,
      );
    url.username = "";
    url.password = "";
    return url;
  }

  /** Finds out how the registry is spoken to, once. */
  async #connect(): Promise<Connection> {
    const { domain, path } = this.#reference;
    const directory = this.#environment["BOCKER_CERTS_DIR"] ?? CERTIFICATE_DIRECTORY;
    this.#tls = tlsMaterial(domain, directory, this.#environment);
    const [https, http] = originsOf(domain);
    const origin = http === undefined || (await this.#speaksHttps(https!)) ? https! : http;
    const authorizer = new Authorizer({
      origin,
      repository: path,
      actions: "pull",
      credentials: findCredentials(domain, dockerConfigPath(this.#environment)),
      tls: this.#tls,
      signal: this.#options.signal,
    });
    return { origin, authorizer };
  }

  async #speaksHttps(origin: URL): Promise<boolean> {
    try {
      const { signal } = this.#options;
      (
        await exchange({ method: "GET", url: new URL("/v2/", origin), headers: {}, tls: this.#tls, signal })
      ).discard();
      return true;
    } catch (error) {
      if (error instanceof NoHttpsError) return false;
      throw error;
    }
  }
}

/** The digest of a manifest's bytes, held against the one asked for, else against the one announced. */
function verified(bytes: Buffer, name: string, announced: string | string[] | undefined): Digest {
  const digest = digestOf(bytes);
  const expected = isDigest(name) ? name : announced;
  if (typeof expected === "string" && isDigest(expected) && expected !== digest)
    throw new BockerError("corrupt", `manifest verification failed for digest ${expected}`);
  return digest;
}
