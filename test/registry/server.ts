/** Registries that do what a test wants, and clients of them, in the test's own process. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../src/base/digest.ts";
import { parseReference } from "../../src/base/reference.ts";
import { RegistryClient } from "../../src/registry/client.ts";

const servers: Server[] = [];
const directories: string[] = [];

/** After each test. */
export function closeServers(): void {
  for (const server of servers.splice(0)) server.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on loopback, and the requests that it got: "GET /path authorization". */
export async function serve(handler: Handler): Promise<{ host: string; log: string[] }> {
  const log: string[] = [];
  const server = createServer((request, response) => {
    log.push(`${request.method} ${request.url} ${request.headers.authorization ?? "-"}`);
    handler(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, log };
}

export const BASIC = `Basic ${Buffer.from("alice:secret").toString("base64")}`;

/** A client whose docker configuration has alice's password for `host`. */
export function client(host: string, signal?: AbortSignal): RegistryClient {
  const directory = mkdtempSync(join(tmpdir(), "bocker-client-"));
  directories.push(directory);
  const auths = { [host]: { auth: BASIC.slice("Basic ".length) } };
  writeFileSync(join(directory, "config.json"), JSON.stringify({ auths }));
  return new RegistryClient(parseReference(`${host}/a/b`), {
    environment: { DOCKER_CONFIG: directory, BOCKER_CERTS_DIR: directory },
    retry: { attempts: 3, firstDelay: 1, maxDelay: 50 },
    signal,
  });
}

export const MANIFEST = Buffer.from('{"schemaVersion":2}');
export const BLOB = Buffer.from("0123456789".repeat(1000));
/** All of a blob. `size`: what its descriptor says. */
export async function blobOf(source: RegistryClient, bytes = BLOB, size = bytes.length): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source.blob(digestOf(bytes), size)) parts.push(part);
  return Buffer.concat(parts);
}
