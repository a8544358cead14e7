/**
 * A registry that misbehaves in ways the real one cannot. Runs as a program in the sandbox's network:
 *   stub-registry.ts PORT DIRECTORY FAULT
 * DIRECTORY has blobs and manifests named by their digests, and manifests.json as push.ts reads it. FAULT
 * concerns the last layer: what it does is written at `serve`.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";

const [port, directory, fault] = process.argv.slice(2) as [string, string, string];
const manifests = JSON.parse(readFileSync(join(directory, "manifests.json"), "utf8")) as [
  string,
  string,
  string,
][];
const victim = readFileSync(join(directory, "victim"), "utf8");
let served = 0;

function serve(bytes: Buffer, start: number, response: ServerResponse): void {
  const rest = bytes.subarray(start);
  const half = rest.subarray(0, rest.length / 2);
  const headers: Record<string, string> = { "content-length": String(rest.length) };
  if (start > 0) headers["content-range"] = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  served++;
  switch (fault) {
    case "wrong byte": {
      const copy = Buffer.from(rest);
      copy[copy.length >> 1]! ^= 1;
      response.writeHead(200, headers).end(copy);
      return;
    }
    case "too long":
      response.writeHead(200).end(Buffer.concat([rest, Buffer.alloc(5)]));
      return;
    case "wrong length":
      response.writeHead(200, { "content-length": String(rest.length - 1) }).end(rest.subarray(1));
      return;
    case "short":
      response.writeHead(200).end(half);
      return;
    case "reset twice":
      response.writeHead(start > 0 ? 206 : 200, headers);
      if (served > 2) response.end(rest);
      else response.write(half, () => setTimeout(() => response.socket?.resetAndDestroy(), 50));
      return;
    case "busy once":
      if (served === 1) response.writeHead(503, { "retry-after": "1" }).end();
      else response.writeHead(200, headers).end(rest);
      return;
    case "stall":
      response.writeHead(200, headers).write(half, () => writeFileSync(join(directory, "stalled"), ""));
      return;
    default:
      response.writeHead(200, headers).end(rest);
  }
}

createServer((request, response) => {
  console.log(`${request.method} ${request.url}`);
  const [, kind, name = ""] = /\/(manifests|blobs)\/(.*)$/.exec(request.url ?? "") ?? [];
  const manifest = manifests.find(([digest, , tag]) => name === digest || name === tag);
  if (kind === "manifests" && manifest !== undefined) {
    response.writeHead(200, { "content-type": manifest[1] }).end(readFileSync(join(directory, manifest[0])));
  } else if (kind === "blobs" && readdirSync(directory).includes(name)) {
    const bytes = readFileSync(join(directory, name));
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (name === victim) serve(bytes, start, response);
    else response.writeHead(200, { "content-length": String(bytes.length) }).end(bytes);
  } else {
    response.writeHead(request.url === "/v2/" ? 200 : 404).end("{}");
  }
}).listen(Number(port), "127.0.0.1", () => console.log("stub is up"));
