import { afterEach, describe, expect, test } from "bun:test";
import type { IncomingMessage } from "node:http";
import { closeServers, serve } from "../../test/registry/server.ts";
import { digestOf } from "../base/digest.ts";
import { parseReference } from "../base/reference.ts";
import { RegistryPusher } from "./pusher.ts";

afterEach(closeServers);

const BLOB = Buffer.from("0123456789".repeat(30_000));
const CHUNK = 1 << 17;

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** A registry that takes chunks of CHUNK, and what it has got. `fault`: what happens to the PATCH of this number. */
async function registry(least: number, fault: (patch: number, bytes: Buffer) => Buffer | "break") {
  let got = Buffer.alloc(0);
  let patches = 0;
  const { host, log } = await serve(async (request, response) => {
    const state = {
      location: `/v2/a/b/blobs/uploads/x?at=${got.length}`,
      range: `0-${Math.max(0, got.length - 1)}`,
    };
    if (request.method === "POST")
      return void response.writeHead(202, { ...state, "oci-chunk-min-length": String(least) }).end();
    if (request.method === "GET" && request.url !== "/v2/") return void response.writeHead(204, state).end();
    if (request.method === "PUT") {
      const bytes = await bodyOf(request);
      const isTooMuch = bytes.length > CHUNK;
      return void response.writeHead(isTooMuch ? 413 : digestOf(got) === digestOf(BLOB) ? 201 : 400).end();
    }
    if (request.method !== "PATCH") return void response.end();
    const bytes = await bodyOf(request);
    const kept = fault(++patches, bytes);
    if (kept === "break" || kept.length < bytes.length) {
      if (kept !== "break") got = Buffer.concat([got, kept]);
      return void request.socket.destroy();
    }
    expect(request.headers["content-range"]).toBe(`${got.length}-${got.length + bytes.length - 1}`);
    got = Buffer.concat([got, bytes]);
    response.writeHead(202, { location: `/v2/a/b/blobs/uploads/x?at=${got.length}` }).end();
  });
  return { host, log };
}

async function push(host: string): Promise<number[]> {
  const progress: number[] = [];
  const pusher = new RegistryPusher(parseReference(`${host}/a/b`), {
    environment: { DOCKER_CONFIG: "/nonexistent", BOCKER_CERTS_DIR: "/nonexistent" },
    retry: { attempts: 3, firstDelay: 1, maxDelay: 50 },
  });
  const chunks = function* (offset: number) {
    for (let at = offset; at < BLOB.length; at += 1000) yield BLOB.subarray(at, at + 1000);
  };
  await pusher.send({ digest: digestOf(BLOB), size: BLOB.length, chunks }, undefined, (sent) =>
    progress.push(sent),
  );
  return progress;
}

describe("an upload in chunks", () => {
  test("goes on with what the registry has not got when it broke off in the middle of one", async () => {
    const { host, log } = await registry(0, (patch, bytes) =>
      patch === 1 ? bytes.subarray(0, 5000) : bytes,
    );
    expect((await push(host)).at(-1)).toBe(BLOB.length);
    expect(log.filter((line) => line.startsWith("GET /v2/a")).length).toBe(1);
  });
  test("is not begun anew for a chunk of which nothing came", async () => {
    const { host, log } = await registry(0, (patch, bytes) => (patch === 1 ? "break" : bytes));
    await push(host);
    // Once at once, which was too much, once in chunks.
    expect(log.filter((line) => line.startsWith("POST")).length).toBe(2);
  });
  test("is given up when no attempt gets on", async () => {
    const { host } = await registry(0, () => "break");
    await expect(push(host)).rejects.toThrow("the connection to");
  });
  test("has no chunk below the registry's least", async () => {
    const { host, log } = await registry(20 << 20, (_, bytes) => bytes);
    await push(host);
    expect(log.filter((line) => line.startsWith("PATCH")).length).toBe(1);
  });
});
