/**
 * One HTTP exchange.
 *
 * Promises: exactly one request to exactly the given URL: redirects, proxies, cookies and compression are
 * not handled behind the caller's back; no server can hold the caller for longer than the limits below;
 * the body is read no faster than it is consumed.
 *
 * node:http rather than fetch: fetch decompresses on its own (a small manifest becomes a bomb), takes CA
 * certificates in a way of its own in each runtime, and cannot say which addresses a name may lead to.
 */
import { lookup as dnsLookup } from "node:dns";
import {
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
} from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { BockerError } from "../base/errors.ts";
import { VERSION } from "../version.ts";
import { isInternalAddress } from "./address.ts";
import type { TlsMaterial } from "./certificates.ts";
import { connectionError, TransientError } from "./failure.ts";
import { optionsThrough } from "./tunnel.ts";

/** Until the headers are there, connecting included, in milliseconds. */
const ANSWER_LIMIT = 60_000;
/** Between two pieces of a body. */
const STALL_LIMIT = 60_000;

export interface HttpRequest {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  url: URL;
  headers: Record<string, string>;
  /** A stream of bytes is made when it is sent: it may have to be sent again. */
  body?: string | Uint8Array | { length: number; chunks: () => Iterable<Uint8Array> };
  tls?: TlsMaterial | undefined;
  signal?: AbortSignal | undefined;
  /** The URL was chosen by a server: it must not lead to this machine or its link (SSRF). */
  publicOnly?: boolean;
  /** Asked instead of the URL's host, which it finds on its own: of a name only the proxy knows where it leads. */
  proxy?: URL | undefined;
}

export interface HttpResponse {
  status: number;
  headers: IncomingHttpHeaders;
  /** To be read once, or discarded. */
  body: AsyncIterable<Uint8Array>;
  discard(): void;
}

function refused(url: URL): BockerError {
  return new BockerError("denied", `refusing to follow a redirect to ${url.host}: it is an internal address`);
}

/** Resolves as usual, but refuses internal addresses: checked where the connection is made, once. */
function publicLookup(url: URL): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) callback(error, "", 0);
      else if (addresses.some(({ address }) => isInternalAddress(address))) callback(refused(url), "", 0);
      else if (options.all === true) callback(null, addresses);
      else callback(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}

async function* bodyOf(message: IncomingMessage, url: URL): AsyncGenerator<Uint8Array, void, void> {
  const iterator = message[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let ended = false;
  try {
    for (;;) {
      const timer = setTimeout(
        () => message.destroy(new TransientError(`${url.host} stopped sending`)),
        STALL_LIMIT,
      );
      const next = await iterator.next().finally(() => clearTimeout(timer));
      ended = next.done === true;
      if (ended) return;
      yield next.value;
    }
  } catch (error) {
    throw connectionError(error, url);
  } finally {
    if (!ended) message.destroy();
  }
}

function responseOf(message: IncomingMessage, url: URL): HttpResponse {
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    body: bodyOf(message, url),
    discard: () => {
      message.on("error", () => undefined);
      message.destroy();
    },
  };
}

const interrupted = () => new BockerError("interrupted", "interrupted");

/** Rejects with what `late` says when `work` takes longer than ANSWER_LIMIT. */
function inTime<T>(work: Promise<T>, late: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(late()), ANSWER_LIMIT);
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

/** How the request is opened: by node:http(s) to the host itself, or upon a connection by way of the proxy. */
async function opened({
  url,
  tls,
  signal,
  publicOnly,
  proxy,
}: HttpRequest): Promise<(own: RequestOptions) => ClientRequest> {
  if (proxy !== undefined) {
    const through = inTime(
      optionsThrough(proxy, url, tls, signal),
      () => new TransientError(`the proxy ${proxy.host} does not answer`),
    );
    const options = await through.catch((error: unknown) => {
      throw signal?.aborted === true ? interrupted() : error;
    });
    return (own) =>
      httpRequest({
        ...options,
        ...own,
        headers: { ...own.headers, ...options.headers } as OutgoingHttpHeaders,
      });
  }
  const options: RequestOptions = publicOnly === true ? { lookup: publicLookup(url) } : {};
  return (own) =>
    url.protocol === "https:"
      ? httpsRequest(url, { ...own, ...tls, ...options })
      : httpRequest(url, { ...own, ...options });
}

/** Sends a request and waits for the headers. Throws what connectionError makes of a failure. */
export async function exchange(request: HttpRequest): Promise<HttpResponse> {
  const { url, signal, body } = request;
  if (request.publicOnly === true && isInternalAddress(url.hostname)) throw refused(url);
  if (signal?.aborted === true) throw interrupted();
  const open = await opened(request);
  return new Promise((resolve, reject) => {
    const outgoing = open({
      method: request.method,
      headers: {
        "user-agent": `bocker/${VERSION}`,
        "accept-encoding": "identity",
        ...request.headers,
        ...(body === undefined ? {} : { "content-length": String(lengthOf(body)) }),
      },
    });
    const expire = () => outgoing.destroy(new TransientError(`${url.host} does not answer`));
    let timer = setTimeout(expire, ANSWER_LIMIT);
    /** What is being sent takes as long as it takes, as long as it gets on. */
    const proceed = () => {
      clearTimeout(timer);
      timer = setTimeout(expire, ANSWER_LIMIT);
    };
    // The signal ends the body, too, for as long as it is being read.
    const abort = () => outgoing.destroy(interrupted());
    signal?.addEventListener("abort", abort, { once: true });
    outgoing.on("close", () => signal?.removeEventListener("abort", abort));
    outgoing.on("error", (error) => {
      clearTimeout(timer);
      reject(signal?.aborted === true ? interrupted() : connectionError(error, url));
    });
    outgoing.on("response", (message) => {
      clearTimeout(timer);
      resolve(responseOf(message, url));
    });
    if (body === undefined || typeof body === "string" || body instanceof Uint8Array) outgoing.end(body);
    else send(outgoing, body.chunks(), proceed);
  });
}

function lengthOf(body: NonNullable<HttpRequest["body"]>): number {
  return typeof body === "string" ? Buffer.byteLength(body) : body.length;
}

/** Sends chunks no faster than they are taken. An error of their source ends the request with it. */
function send(outgoing: ClientRequest, chunks: Iterable<Uint8Array>, proceed: () => void): void {
  const iterator = chunks[Symbol.iterator]();
  const next = () => {
    try {
      for (;;) {
        if (outgoing.destroyed) return void iterator.return?.();
        proceed();
        const { done, value } = iterator.next();
        if (done === true) return void outgoing.end();
        if (!outgoing.write(value)) return void outgoing.once("drain", next);
      }
    } catch (error) {
      outgoing.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  };
  outgoing.once("close", () => iterator.return?.());
  next();
}

/** A whole small body; more than `limit` bytes are an error and are not read. */
export async function readBody(response: HttpResponse, limit: number, what: string): Promise<Buffer> {
  const tooLarge = new BockerError("registry", `${what} is larger than ${limit} bytes`);
  if (Number(response.headers["content-length"] ?? 0) > limit) {
    response.discard();
    throw tooLarge;
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body) {
    size += part.length;
    if (size > limit) throw tooLarge;
    parts.push(part);
  }
  return Buffer.concat(parts);
}
