/**
 * A proxy in the sandbox's network: whole URLs of plain http, and CONNECT. Prints a line for each request. Every name leads to
 * the address ADDRESS, with the port that was asked for; nobody but the proxy knows.
 *   proxy-server.ts PORT ADDRESS OPTIONS
 * OPTIONS is JSON: `user`: who may ("alice:secret"); `only443`: no tunnel to other ports; `key`, `certificate`: it speaks https itself.
 */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect, type Socket } from "node:net";

const [port, address, text = "{}"] = process.argv.slice(2) as [string, string, string?];
const options = JSON.parse(text) as { user?: string; only443?: boolean; key?: string; certificate?: string };

function isWelcome(message: IncomingMessage): boolean {
  const expected = `Basic ${Buffer.from(options.user ?? "").toString("base64")}`;
  return options.user === undefined || message.headers["proxy-authorization"] === expected;
}

function forward(message: IncomingMessage, response: ServerResponse): void {
  console.log(`${message.method} ${message.url}`);
  if (!isWelcome(message)) return void response.writeHead(407, { "proxy-authenticate": "Basic" }).end();
  const url = new URL(message.url ?? "");
  const { "proxy-authorization": _, ...headers } = message.headers;
  const onward = request(
    {
      host: address,
      port: url.port === "" ? 80 : url.port,
      path: `${url.pathname}${url.search}`,
      method: message.method,
      headers,
    },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  onward.on("error", () => response.writeHead(502).end());
  message.pipe(onward);
}

function tunnel(message: IncomingMessage, socket: Socket): void {
  console.log(`CONNECT ${message.url}`);
  socket.on("error", () => undefined);
  const [, wanted] = /:(\d+)$/.exec(message.url ?? "") ?? [];
  if (!isWelcome(message))
    return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
  if (options.only443 === true && wanted !== "443")
    return void socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
  const onward = connect(Number(wanted), address, () => {
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    onward.pipe(socket);
    socket.pipe(onward);
  });
  onward.on("error", () => socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"));
  socket.on("close", () => onward.destroy());
}

const { key, certificate } = options;
const server =
  key === undefined || certificate === undefined
    ? createServer(forward)
    : createSecureServer({ key: readFileSync(key), cert: readFileSync(certificate) }, forward);
server.on("connect", tunnel);
server.listen(Number(port), "127.0.0.1", () => console.log("proxy is up"));
