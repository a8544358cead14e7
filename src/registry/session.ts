/**
 * How a registry is spoken to, for one repository: its origin, its certificates, its tokens, its redirects.
 *
 * Promises: only the registry, the token server that it names and hosts it redirects to are contacted; no
 * credentials go along with a redirect; https never becomes http; every failure is a BockerError.
 */
import { BockerError } from "../base/errors.ts";
import type { Reference } from "../base/reference.ts";
import { isLoopbackHost } from "./address.ts";
import { Authorizer } from "./auth.ts";
import { CERTIFICATE_DIRECTORY, tlsForOthers, tlsMaterial } from "./certificates.ts";
import { type Credentials, findCredentials } from "./credentials.ts";
import { dockerConfigPath } from "./docker-config.ts";
import { isSameOrigin, originsOf } from "./endpoint.ts";
import { NoHttpsError, retryAfterOf, TransientError } from "./failure.ts";
import { exchange, type HttpRequest, type HttpResponse, readBody } from "./http.ts";
import { type Proxies, proxyFor } from "./proxy.ts";
import { type Action, refusalError } from "./refusal.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts";
import { isInsecure, registrySettings } from "./settings.ts";

/** Of a token (distribution, "Token Scope"); undefined: only who it is that asks. */
function scopeOf(action: Action, path: string): string | undefined {
  if (action === "login") return undefined;
  if (action === "search") return "registry:catalog:*";
  return `repository:${path}:${action === "push" ? "pull,push" : "pull"}`;
}
const REDIRECTS_MAX = 10;
const ERROR_BODY_MAX = 64 << 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const TRANSIENT = new Set([408, 429, 500, 502, 503, 504]);

export interface ClientOptions {
  signal?: AbortSignal | undefined;
  retry?: RetryPolicy;
  /**
   * Instead of process.env: DOCKER_CONFIG, BOCKER_CERTS_DIR, BOCKER_REGISTRIES, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS and
   * those of proxies count.
   */
  environment?: NodeJS.ProcessEnv;
  /** Instead of those that are kept for the registry. */
  credentials?: Credentials | undefined;
  /** Spoken to instead of the registry that the reference names. */
  mirror?: URL | undefined;
  /** Bad certificates and plain http will do, whatever the settings say. */
  insecure?: boolean | undefined;
}

interface Connection {
  origin: URL;
  proxies: Proxies;
  uploadChunkSize: number | undefined;
  authorizer: Authorizer;
}

export interface RegistryRequest extends Pick<HttpRequest, "method" | "body"> {
  headers?: Record<string, string>;
  /** The answers that mean success. */
  expected: readonly number[];
}

export class RegistrySession {
  readonly reference: Reference;
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal | undefined;
  readonly #action: Action;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #options: ClientOptions;
  #connection: Promise<Connection> | undefined;
  #tls: ReturnType<typeof tlsMaterial> | undefined;

  /** Of `reference`, domain and path count. `action`: what the repository is used for, and what refusals are about. */
  constructor(reference: Reference, action: Action, options: ClientOptions = {}) {
    this.reference = reference;
    this.retry = options.retry ?? DEFAULT_RETRY;
    this.signal = options.signal;
    this.#action = action;
    this.#environment = options.environment ?? process.env;
    this.#options = options;
  }

  /**
   * A successful answer; refusals are errors in Docker's words, TransientError where another attempt may help.
   * @param where below /v2/NAME/, an absolute path, or a URL that the registry has given
   */
  async request(where: string | URL, request: RegistryRequest): Promise<HttpResponse> {
    this.#connection ??= this.#connect().catch((error: unknown) => {
      this.#connection = undefined;
      throw error;
    });
    const connection = await this.#connection;
    const { origin, authorizer } = connection;
    const path =
      typeof where !== "string" || where.startsWith("/") ? where : `/v2/${this.reference.path}/${where}`;
    const url = new URL(path, origin);
    // A second 401 is another token's expiry at worst; a third would go on for ever.
    for (let answers = 0; ; answers++) {
      const authorization = authorizer.header;
      const response = await this.#follow(url, request, connection, authorization);
      if (request.expected.includes(response.status)) return response;
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
      const error = refusalError(this.#action, this.reference, response.status, body);
      if (!TRANSIENT.has(response.status)) throw error;
      const retryAfter = retryAfterOf(response.headers["retry-after"], Date.now());
      throw new TransientError(error.message, { retryAfter });
    }
  }

  /** Where a registry says to go on, e.g. with an upload. Throws "denied" for what https may not lead to. */
  async location(response: HttpResponse): Promise<URL> {
    const { origin } = await this.#connection!;
    const { location } = response.headers;
    if (location === undefined)
      throw new BockerError("registry", `${origin.host} does not say where the upload goes`);
    return this.#target(location, origin);
  }

  /** Bytes that the administrator lets an upload send at a time. To be asked after a request. */
  async uploadChunkSize(): Promise<number | undefined> {
    return (await this.#connection)?.uploadChunkSize;
  }

  async #answer(
    authorizer: Authorizer,
    challenge: string | undefined,
    rejected: string | undefined,
  ): Promise<boolean> {
    try {
      return await authorizer.answer(challenge, rejected);
    } catch (error) {
      if (error instanceof BockerError && error.code === "denied") {
        const { message } = refusalError(this.#action, this.reference, 401, "");
        throw new BockerError("denied", `${message}: ${error.message}`);
      }
      throw error;
    }
  }

  /** Follows redirects of what changes nothing, without the Authorization from the first other origin on. */
  async #follow(
    start: URL,
    { method, body, headers = {} }: RegistryRequest,
    { origin, proxies }: Connection,
    authorization: string | undefined,
  ): Promise<HttpResponse> {
    let url = start;
    let isTrusted = true;
    for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
      const isOwn = isSameOrigin(url, origin);
      isTrusted &&= isOwn;
      const response = await exchange({
        method,
        url,
        headers: !isTrusted || authorization === undefined ? headers : { ...headers, authorization },
        ...(body === undefined ? {} : { body }),
        tls: isOwn ? this.#tls : tlsForOthers(this.#tls),
        signal: this.signal,
        publicOnly: !isOwn && !isLoopbackHost(origin.hostname),
        proxy: proxyFor(proxies, url),
      });
      const location = response.headers.location;
      const isFollowed = method === "GET" || method === "HEAD";
      if (!isFollowed || !REDIRECTS.has(response.status) || location === undefined) return response;
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
    const { mirror, credentials } = this.#options;
    const { path } = this.reference;
    const domain = mirror?.host ?? this.reference.domain;
    const directory = this.#environment["BOCKER_CERTS_DIR"] ?? CERTIFICATE_DIRECTORY;
    const settings = registrySettings(this.#environment);
    const { proxies, uploadChunkSize } = settings;
    const insecure = this.#options.insecure === true || isInsecure(settings, domain);
    this.#tls = tlsMaterial(domain, directory, this.#environment);
    if (insecure) this.#tls.rejectUnauthorized = false;
    const origin = mirror ?? (await this.#originOf(domain, insecure, proxies));
    const authorizer = new Authorizer({
      origin,
      scope: scopeOf(this.#action, path),
      credentials: credentials ?? findCredentials(domain, dockerConfigPath(this.#environment)),
      tls: this.#tls,
      proxies,
      signal: this.signal,
    });
    return { origin, proxies, uploadChunkSize, authorizer };
  }

  async #originOf(domain: string, insecure: boolean, proxies: Proxies): Promise<URL> {
    const [https, http] = originsOf(domain, insecure);
    return http === undefined || (await this.#speaksHttps(https!, proxies)) ? https! : http;
  }

  async #speaksHttps(origin: URL, proxies: Proxies): Promise<boolean> {
    try {
      const { signal } = this;
      const url = new URL("/v2/", origin);
      const proxy = proxyFor(proxies, url);
      (await exchange({ method: "GET", url, headers: {}, tls: this.#tls, signal, proxy })).discard();
      return true;
    } catch (error) {
      if (error instanceof NoHttpsError) return false;
      throw error;
    }
  }
}
