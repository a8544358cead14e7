/** The big image: the same files, byte for byte, wherever it is made. Thirty layers, 40,000 files, 400 MB. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Bench, scaled } from "./bench.ts";
import { run } from "./program.ts";

const LAYERS = 30;
const FILES = 40_000;
const BYTES = 400_000_000;
const FILES_A_DIRECTORY = 100;
/** Seconds since 1970: all files are as old. */
const MODIFIED = 1_700_000_000;

/** xorshift32: fast, and the same everywhere. */
function* numbers(seed: number): Generator<number, never, void> {
  for (let state = seed >>> 0 || 1; ; ) {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    yield state;
  }
}

/** Half of it noise, half of it text that repeats: it packs to about half, as programs and libraries do. */
function contents(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size, "the quick brown fox jumps over the lazy dog; ");
  const noise = numbers(seed);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, size >> 2);
  for (let at = 0; at < words.length; at++) if ((at >> 6) % 2 === 0) words[at] = noise.next().value;
  return bytes;
}

export interface BigImage {
  /** The trees of the layers, one directory each. */
  trees: string[];
  files: number;
  bytes: number;
}

/** Makes the trees of the layers below `directory`. */
export function makeTrees(bench: Bench, directory: string): BigImage {
  const files = scaled(bench, FILES);
  const bytes = scaled(bench, BYTES);
  const perLayer = Math.ceil(files / LAYERS);
  const sizes = numbers(42);
  const trees = Array.from({ length: LAYERS }, (_, layer) => {
    const tree = join(directory, `layer${layer}`);
    for (let at = 0; at < perLayer; at++) {
      const parent = join(tree, `usr/share/part${layer}/${Math.floor(at / FILES_A_DIRECTORY)}`);
      if (at % FILES_A_DIRECTORY === 0) mkdirSync(parent, { recursive: true });
      // Sizes from almost nothing to twice the mean.
      const size = Math.round(((sizes.next().value % 1000) / 500) * (bytes / files));
      const file = join(parent, `file${at}`);
      writeFileSync(file, contents(size, layer * perLayer + at + 1));
      utimesSync(file, MODIFIED, MODIFIED);
    }
    return tree;
  });
  return { trees, files: perLayer * LAYERS, bytes };
}

function tarOf(trees: readonly string[], file: string): void {
  const sources = trees.flatMap((tree) => ["-C", tree, "."]);
  run([
    "tar",
    "--sort=name",
    `--mtime=@${MODIFIED}`,
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "-cf",
    file,
    ...sources,
  ]);
}

/** All layers in one archive. */
export function makeTar({ trees }: BigImage, file: string): void {
  tarOf(trees, file);
}

/** An OCI image layout with one layer for each tree, as gzip. */
export function makeLayout({ trees }: BigImage, layout: string): void {
  const blobs = join(layout, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const add = (bytes: Uint8Array, mediaType: string) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: object, kind: string) =>
    add(Buffer.from(JSON.stringify(value)), `application/vnd.oci.image.${kind}.v1+json`);
  const archive = join(layout, "layer.tar");
  const layers = trees.map((tree) => {
    tarOf([tree], archive);
    const bytes = readFileSync(archive);
    const diffId = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    return {
      diffId,
      blob: add(gzipSync(bytes, { level: 6 }), "application/vnd.oci.image.layer.v1.tar+gzip"),
    };
  });
  const config = json(
    {
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Cmd: ["true"] },
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    },
    "config",
  );
  const manifest = json({ schemaVersion: 2, config, layers: layers.map(({ blob }) => blob) }, "manifest");
  const annotations = { "org.opencontainers.image.ref.name": "big" };
  writeFileSync(
    join(layout, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

export function sizeOf(file: string): number {
  return statSync(file).size;
}
