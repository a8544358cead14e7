/**
 * Authentication for one use of one registry (distribution spec, "Token Authentication").
 *
 * Promises: credentials go to the registry's own origin and to the token server that this origin named, to
 * nobody else; over plain http only where the registry itself is spoken to in plain http: on this machine, or where the
 * administrator says so. Many requests that find their token expired fetch one new token.
 */
import { BockerError } from "../base/errors.ts";
import { isLoopbackHost } from "./address.ts";
import { type TlsMaterial, tlsForOthers } from "./certificates.ts";
import { parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import { faultsOf, faultText } from "./failure.ts";
import { exchange, readBody } from "./http.ts";
import { type Proxies, proxyFor } from "./proxy.ts";

const TOKEN_SIZE_MAX = 1 << 20;
const CLIENT_ID = "bocker";

export interface AuthorizerOptions {
  /** The registry's scheme, host and port. */
  origin: URL;
  /** "repository:library/debian:pull"; undefined: only whether the credentials are right. */
  scope: string | undefined;
  credentials: Credentials | undefined;
  tls: TlsMaterial | undefined;
  proxies: Proxies;
  signal: AbortSignal | undefined;
}

function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

export class Authorizer {
  readonly #options: AuthorizerOptions;
  #header: string | undefined;
  #pending: Promise<string> | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The Authorization header to send to the registry's origin, as far as one is known. */
  get header(): string | undefined {
    return this.#header;
  }

  /**
   * Answers a 401. `rejected` is the header that the refused request carried.
   * @returns true when the request is worth sending again
   * @throws BockerError "denied" when the token server refuses, "registry" when it fails
   */
  async answer(wwwAuthenticate: string | undefined, rejected: string | undefined): Promise<boolean> {
    // Another request has fetched a new token meanwhile.
    if (this.#header !== rejected) return true;
    this.#pending ??= this.#authorize(wwwAuthenticate).finally(() => {
      this.#pending = undefined;
    });
    const header = await this.#pending;
    const isNew = header !== rejected && header !== "";
    if (isNew) this.#header = header;
    return isNew;
  }

  /** The new header; "" where nothing can be offered. */
  async #authorize(wwwAuthenticate: string | undefined): Promise<string> {
    const challenges = parseChallenges(wwwAuthenticate);
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const { credentials } = this.#options;
    if (bearer !== undefined) return `Bearer ${await this.#token(bearer.parameters)}`;
    if (!challenges.some(({ scheme }) => scheme === "basic")) return "";
    return credentials === undefined || credentials.identityToken !== undefined ? "" : basic(credentials);
  }

  #realm(parameters: Map<string, string>): URL {
    const text = parameters.get("realm") ?? "";
    const { origin } = this.#options;
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    if (realm === undefined || realm.username !== "" || realm.password !== "")
      throw new BockerError("registry", `${origin.host} names no usable token server: "${text}"`);
    // An insecure registry is spoken to in plain http, and may be its own token server.
    const isKnown = isLoopbackHost(realm.hostname) || realm.origin === origin.origin;
    const isLocalPlain = realm.protocol === "http:" && origin.protocol === "http:" && isKnown;
    if (realm.protocol !== "https:" && !isLocalPlain)
      throw new BockerError(
        "denied",
        `refusing to ask the token server ${realm.origin} that ${origin.host} names: it is not https`,
      );
    return realm;
  }

  async #token(parameters: Map<string, string>): Promise<string> {
    const { credentials, tls, signal, origin, proxies } = this.#options;
    const realm = this.#realm(parameters);
    const fields = new URLSearchParams();
    const service = parameters.get("service");
    if (service !== undefined) fields.set("service", service);
    if (this.#options.scope !== undefined) fields.set("scope", this.#options.scope);
    const common = {
      tls: realm.origin === origin.origin ? tls : tlsForOthers(tls),
      signal,
      proxy: proxyFor(proxies, realm),
    };
    if (credentials?.identityToken !== undefined) {
      fields.set("grant_type", "refresh_token");
      fields.set("client_id", CLIENT_ID);
      fields.set("refresh_token", credentials.identityToken);
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      return this.#receive(
        await exchange({ ...common, method: "POST", url: realm, headers, body: fields.toString() }),
        realm,
      );
    }
    const url = new URL(realm);
    for (const [name, value] of fields) url.searchParams.set(name, value);
    if (credentials !== undefined) url.searchParams.set("account", credentials.username);
    const headers: Record<string, string> =
      credentials === undefined ? {} : { authorization: basic(credentials) };
    return this.#receive(await exchange({ ...common, method: "GET", url, headers }), realm);
  }

  /** Redirects are not followed: nobody but the named server gets the credentials. */
  async #receive(response: Awaited<ReturnType<typeof exchange>>, realm: URL): Promise<string> {
    const body = (await readBody(response, TOKEN_SIZE_MAX, `the token of ${realm.host}`)).toString("utf8");
    if (response.status === 401 || response.status === 403) {
      const [fault] = faultsOf(body);
      const reason = fault === undefined ? `status ${response.status}` : faultText(fault);
      throw new BockerError("denied", `the token server ${realm.host} refused: ${reason}`);
    }
    if (response.status !== 200)
      throw new BockerError("registry", `the token server ${realm.host} answered ${response.status}`);
    const token = tokenIn(body);
    if (token === undefined)
      throw new BockerError("registry", `the token server ${realm.host} sent no token`);
    return token;
  }
}

/** `token`, or OAuth 2's `access_token`; only what may stand in a header. */
function tokenIn(body: string): string | undefined {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return undefined;
  }
  const { token, access_token } = (document ?? {}) as { token?: unknown; access_token?: unknown };
  const found = typeof token === "string" && token !== "" ? token : access_token;
  return typeof found === "string" && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
}
