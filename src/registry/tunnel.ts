/**
 * Connections by way of a proxy (RFC 9110, 9.3.6 and 7.6): plain http is asked for by its whole URL, https goes through a
 * tunnel, so that the proxy sees neither what is asked nor credentials.
 */
import { type ClientRequest, request as httpRequest, type RequestOptions } from "node:http";
import { isIP, type Socket } from "node:net";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { BockerError, messageOf } from "../base/errors.ts";
import { bareHost, portOf } from "./address.ts";
import { type TlsMaterial, tlsForOthers } from "./certificates.ts";
import { connectionError, NoHttpsError } from "./failure.ts";

function proxyError(proxy: URL, reason: string, cause?: unknown): BockerError {
  return new BockerError(
    "registry",
    `cannot get through the proxy ${proxy.host}: ${reason}: check HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or "proxies" in the registries' settings`,
    { cause },
  );
}

/** TLS with `url`'s host, upon a connection that is there or that node:tls makes. Rejects with what happened, whatever it is. */
function secured(url: URL, tls: TlsMaterial | undefined, socket?: Socket): Promise<TLSSocket> {
  const host = bareHost(url.hostname);
  return new Promise((resolve, reject) => {
    const secure = tlsConnect({
      ...tls,
      ...(socket === undefined ? { host, port: Number(portOf(url)) } : { socket, host }),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ["http/1.1"],
    });
    secure.once("error", reject);
    secure.once("secureConnect", () => {
      secure.off("error", reject);
      resolve(secure);
    });
  });
}

/** What is said to a proxy itself: where it is, and who asks. */
async function toProxy(proxy: URL, tls: TlsMaterial | undefined): Promise<RequestOptions> {
  const { username, password } = proxy;
  const user = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  const connection = proxy.protocol === "https:" ? await secured(proxy, tlsForOthers(tls)) : undefined;
  return {
    host: bareHost(proxy.hostname),
    port: portOf(proxy),
    ...(connection === undefined ? {} : { createConnection: () => connection }),
    headers: username === "" ? {} : { "proxy-authorization": `Basic ${user.toString("base64")}` },
  };
}

/** @returns the connection to `url`'s host, without TLS as yet */
function tunnel(
  proxy: URL,
  url: URL,
  options: RequestOptions,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const target = `${url.hostname}:${portOf(url)}`;
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = httpRequest({
      ...options,
      ...(signal === undefined ? {} : { signal }),
      method: "CONNECT",
      path: target,
      headers: { ...options.headers, host: target },
    });
    const answer = (status: number, socket: Socket) => {
      if (status >= 200 && status < 300) return resolve(socket);
      socket.destroy();
      if (status === 407)
        return reject(
          proxyError(proxy, "it wants a user and a password, or others: http://USER:PASSWORD@HOST"),
        );
      // Many let only port 443 through: a registry that may be spoken to in plain http is tried that way next.
      reject(
        new NoHttpsError(
          `the proxy ${proxy.host} does not connect to ${url.host}: status ${status}`,
          undefined,
        ),
      );
    };
    outgoing.once("connect", (message, socket) => answer(message.statusCode ?? 0, socket as Socket));
    // Bun reports a refusal as any other answer.
    outgoing.once("response", (message) => answer(message.statusCode ?? 0, message.socket));
    outgoing.once("error", (error) => reject(proxyError(proxy, messageOf(error), error)));
    outgoing.end();
  });
}

/**
 * What node:http's `request` is given for `url` by way of `proxy`.
 * @throws BockerError "registry" where the proxy refuses, NoHttpsError where it does not connect to that host
 */
export async function optionsThrough(
  proxy: URL,
  url: URL,
  tls: TlsMaterial | undefined,
  signal: AbortSignal | undefined,
): Promise<RequestOptions> {
  const options = await toProxy(proxy, tls).catch((error: unknown) => {
    throw proxyError(proxy, messageOf(error), error);
  });
  if (url.protocol === "http:")
    return { ...options, path: url.href, headers: { ...options.headers, host: url.host } };
  const socket = await tunnel(proxy, url, options, signal);
  const secure = await secured(url, tls, socket).catch((error: unknown) => {
    socket.destroy();
    throw connectionError(error, url);
  });
  return {
    createConnection: () => secure,
    path: `${url.pathname}${url.search}`,
    headers: { host: url.host },
  };
}
