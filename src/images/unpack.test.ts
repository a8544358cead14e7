import { afterEach, beforeEach, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { type Digest, digestOf } from "../base/digest.ts";
import { close } from "../os/files.ts";
import { treeToTar } from "./layer/diff.ts";
import { inflate } from "./layer/inflate.ts";
import { openHostDirectory } from "./layer/layer-root.ts";
import { packLayer } from "./layer/pack.ts";
import { type UnpackRequest, unpackLayer } from "./layer/unpack.ts";
import { ContentStore } from "./store.ts";

let directory: string;
let store: ContentStore;
let target: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bocker-store-"));
  mkdirSync(join(directory, "target"));
  store = new ContentStore(directory);
  target = openHostDirectory(join(directory, "target"));
});

afterEach(() => {
  expect(readdirSync(join(directory, "content/ingest"))).toEqual([]);
  store.close();
  close(target);
  rmSync(directory, { recursive: true });
});

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

async function inflated(bytes: Uint8Array, size: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of inflate(pieces(bytes, size))) parts.push(chunk);
  return Buffer.concat(parts);
}

const blobs = () => readdirSync(join(directory, "content/blobs/sha256"));
const extracted = () => readdirSync(join(directory, "target"));

/** A tar of a few files, one of them a megabyte that does not compress. */
function sampleTar(): Buffer {
  const source = mkdtempSync(join(directory, "source-"));
  mkdirSync(join(source, "bin"));
  writeFileSync(join(source, "bin/sh"), Buffer.alloc(1 << 20, createHash("sha256").update("x").digest()));
  writeFileSync(join(source, "etc"), "conf");
  return execFileSync("tar", ["-C", source, "-cf", "-", "bin", "etc"], { maxBuffer: 1 << 24 });
}

function request(blob: Buffer, tar: Buffer, more: Partial<UnpackRequest> = {}): UnpackRequest {
  return {
    source: pieces(blob, 10007),
    expected: { digest: digestOf(blob), size: blob.length },
    diffId: digestOf(tar),
    directory: target,
    store,
    mode: "layer",
    ...more,
  };
}

const skippable = Buffer.from("502a4d1804000000deadbeef", "hex");

test.each([
  ["plain", (b: Buffer) => b],
  ["gzip", (b: Buffer) => gzipSync(b)],
  [
    "gzip of two members",
    (b: Buffer) => Buffer.concat([gzipSync(b.subarray(0, 999)), gzipSync(b.subarray(999))]),
  ],
  ["gzip with padding", (b: Buffer) => Buffer.concat([gzipSync(b), Buffer.alloc(600)])],
  ["zstd", (b: Buffer) => zstdCompressSync(b)],
  [
    "zstd of two frames",
    (b: Buffer) => Buffer.concat([zstdCompressSync(b.subarray(0, 999)), zstdCompressSync(b.subarray(999))]),
  ],
  ["zstd with a skippable frame", (b: Buffer) => Buffer.concat([skippable, zstdCompressSync(b)])],
])("a %s layer is stored and applied in one pass", async (_name, compress) => {
  const tar = sampleTar();
  const blob = compress(tar);
  const phases: string[] = [];
  const result = await unpackLayer(
    request(blob, tar, {
      progress: (phase, current) => phases.push(phase === "Downloading" ? `${current}` : phase),
    }),
  );
  expect(result).toEqual({ diffId: digestOf(tar), archiveSize: tar.length, size: (1 << 20) + 4 });
  expect(readFileSync(join(directory, "target/etc"), "utf8")).toBe("conf");
  expect(store.read(digestOf(blob)).equals(blob)).toBe(true);
  expect(phases.slice(-3)).toEqual([`${blob.length}`, "Extracting", "Pull complete"]);
});

test("compressed input may be cut anywhere", async () => {
  const content = Buffer.from("hello world ".repeat(20));
  const gzip = Buffer.concat([
    gzipSync(content.subarray(0, 100)),
    gzipSync(content.subarray(100)),
    Buffer.alloc(20),
  ]);
  const zstd = Buffer.concat([
    zstdCompressSync(content.subarray(0, 100)),
    skippable,
    zstdCompressSync(content.subarray(100)),
  ]);
  for (const bytes of [gzip, zstd]) {
    for (let size = 1; size <= bytes.length; size++) {
      expect((await inflated(bytes, size)).toString()).toBe(content.toString());
    }
  }
});

test("the chunks of a fast source do not pile up", async () => {
  let given = 0;
  async function* endless() {
    for (;;) {
      given++;
      yield zstdCompressSync(Buffer.alloc(1 << 20));
    }
  }
  for await (const chunk of inflate(endless())) {
    if (chunk.length > 0) break;
  }
  expect(given).toBeLessThan(2000);
});

const tampered = (blob: Buffer, at: number) => {
  const copy = Buffer.from(blob);
  copy[at]! ^= 1;
  return copy;
};

test.each([
  [
    "a wrong byte",
    (b: Buffer) => ({ source: pieces(tampered(b, b.length - 1), 999) }),
    /digest|decompress|incorrect/,
  ],
  [
    "a byte too many",
    (b: Buffer) => ({ source: pieces(Buffer.concat([b, Buffer.alloc(1)]), 999) }),
    /larger than/,
  ],
  ["a byte too few", (b: Buffer) => ({ source: pieces(b.subarray(0, -1), 999) }), /decompress|bytes instead/],
  [
    "half of it",
    (b: Buffer) => ({ source: pieces(b.subarray(0, b.length / 2), 999) }),
    /decompress|unexpected end/,
  ],
  ["nothing", () => ({ source: pieces(Buffer.alloc(0), 1) }), /bytes instead/],
  ["another diff id", () => ({ diffId: `sha256:${"0".repeat(64)}` as Digest }), /diff id/],
  [
    "another digest",
    (b: Buffer) => ({ expected: { digest: `sha256:${"1".repeat(64)}` as Digest, size: b.length } }),
    /has the digest/,
  ],
])("a layer with %s leaves nothing", async (_name, change, message) => {
  const tar = sampleTar();
  const blob = gzipSync(tar);
  const outcome = await unpackLayer(request(blob, tar, change(blob))).then(
    () => new Error("accepted"),
    (error: Error) => error,
  );
  expect(outcome.message).toMatch(message);
  expect((outcome as { code?: string }).code).toBe("corrupt");
  expect([blobs(), extracted()]).toEqual([[], []]);
});

test("garbage behind a gzip member is an error", async () => {
  const tar = sampleTar();
  const blob = Buffer.concat([gzipSync(tar), Buffer.from("garbage garbage garbage")]);
  expect(unpackLayer(request(blob, tar))).rejects.toThrow("decompress");
});

test("a failing source and a bad archive leave nothing", async () => {
  const tar = sampleTar();
  const blob = gzipSync(tar);
  async function* broken() {
    yield blob.subarray(0, 500);
    throw new Error("connection reset");
  }
  await expect(unpackLayer(request(blob, tar, { source: broken() }))).rejects.toThrow("connection reset");
  const bad = gzipSync(Buffer.concat([tar.subarray(0, 1 << 20), Buffer.alloc(512, 1)]));
  await expect(unpackLayer(request(bad, tar))).rejects.toThrow();
  const aborted = AbortSignal.abort();
  await expect(unpackLayer(request(blob, tar, { signal: aborted }))).rejects.toThrow("interrupted");
  expect([blobs(), extracted()]).toEqual([[], []]);
});

test("a directory becomes a blob and comes back", async () => {
  const source = mkdtempSync(join(directory, "tree-"));
  writeFileSync(join(source, "a"), "1".repeat(100000));
  const fd = openHostDirectory(source);
  const packed = await packLayer(treeToTar(fd), store);
  const again = await packLayer(treeToTar(fd), store);
  const other = await packLayer(treeToTar(fd), store, "zstd");
  close(fd);
  expect([again.diffId, again.blob]).toEqual([packed.diffId, packed.blob]);
  expect(other.diffId).toBe(packed.diffId);
  expect(digestOf(zstdDecompressSync(Buffer.concat([...other.ingest.stream()])))).toBe(packed.diffId);
  expect(Buffer.concat([...other.ingest.stream(10)]).length).toBe(other.blob.size - 10);
  packed.ingest.commit();
  again.ingest.abort();
  other.ingest.abort();
  const tar = gunzipSync(store.read(packed.blob.digest));
  expect([digestOf(tar), tar.length]).toEqual([packed.diffId, packed.archiveSize]);
  await unpackLayer({
    source: pieces(store.read(packed.blob.digest), 77),
    expected: packed.blob,
    diffId: packed.diffId,
    directory: target,
    mode: "layer",
  });
  expect(extracted()).toEqual(["a"]);
});

test("a tree that cannot be packed leaves nothing", async () => {
  function* failing() {
    yield Buffer.alloc(1 << 20);
    throw new Error("cannot read");
  }
  await expect(packLayer(failing(), store)).rejects.toThrow("cannot read");
  expect(blobs()).toEqual([]);
});

test("blobs are private, verified and listed", () => {
  const added = store.add(Buffer.from("{}"));
  expect(added).toEqual({ digest: digestOf("{}"), size: 2 });
  expect([...store.digests()]).toEqual([added.digest]);
  expect(store.size(added.digest)).toBe(2);
  const path = join(directory, "content/blobs/sha256", added.digest.slice(7));
  expect([statSync(path).mode & 0o777, statSync(join(directory, "content")).mode & 0o777]).toEqual([
    0o600, 0o700,
  ]);
  expect(() => store.add(Buffer.from("[]"), added)).toThrow("has the digest");
  writeFileSync(path, "xx");
  expect(() => store.read(added.digest)).toThrow("damaged");
  expect([store.remove(added.digest), store.remove(added.digest)]).toEqual([true, false]);
  expect(() => store.open(added.digest)).toThrow("is not in the store");
});

test("only what no one writes any more is stale", () => {
  const live = store.ingest();
  live.write(Buffer.from("x"));
  writeFileSync(join(directory, "content/ingest/left"), "by a crash");
  writeFileSync(join(directory, "content/ingest/empty"), "");
  expect(store.staleIngests().sort()).toEqual(["empty", "left"]);
  expect(store.removeStaleIngests()).toBe(2);
  live.commit();
  expect(blobs().length).toBe(1);
});
