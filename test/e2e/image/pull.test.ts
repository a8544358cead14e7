/** `bocker pull` against the real docker-registry. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { digestOf, shortDigest } from "../../../src/base/digest.ts";
import { DOCKER_LIST, OCI_LAYER, OCI_LAYER_ZSTD } from "../../../src/spec/media-types.ts";
import { Sandbox } from "../sandbox.ts";
import { imageOf, indexOf, layerOf, tarOf } from "./layout.ts";
import { Registry } from "./registry.ts";

let sandbox: Sandbox;
let registry: Registry;
beforeAll(async () => {
  sandbox = new Sandbox();
  registry = await Registry.start(sandbox, "localhost:5000");
});
afterAll(async () => {
  await registry?.stop();
  sandbox.remove();
});

/** A layer with one file, unlike every other. */
function layer(name: string, content = name) {
  return layerOf(tarOf((directory) => writeFileSync(join(directory, name), content)));
}

/** The layer directories in the store, by chain id. */
function layerFile(diffId: string, path: string): string {
  return readFileSync(join(sandbox.data, "overlay", diffId.slice(7), "diff", path), "utf8");
}

function unfinished(): string[] {
  return [
    ...readdirSync(join(sandbox.data, "overlay")).filter((name) => name.startsWith(".tmp")),
    ...readdirSync(join(sandbox.data, "content/ingest")),
  ];
}

describe("bocker pull", () => {
  test("prints what docker prints", () => {
    const base = layer("base");
    const image = imageOf([base, layer("top")]);
    const name = registry.push("words", image);
    const [, first, second] = image.blobs.map(({ digest }) => shortDigest(digest));
    const output = sandbox.ok(["pull", name]).split("\n");
    expect(output.slice(0, 2)).toEqual(["Using default tag: latest", "latest: Pulling from words"]);
    expect(output.slice(2, -3).sort()).toEqual(
      [first, second]
        .flatMap((id) => [`${id}: Pulling fs layer`, `${id}: Download complete`, `${id}: Pull complete`])
        .sort(),
    );
    expect(output.slice(-3)).toEqual([
      `Digest: ${image.manifest.digest}`,
      `Status: Downloaded newer image for ${name}:latest`,
      `${name}:latest`,
    ]);
    expect(layerFile(digestOf(base.tar), "base")).toBe("base");
    const again = sandbox.ok(["pull", name]).split("\n");
    expect(again.slice(2)).toEqual([
      `${first}: Already exists`,
      `${second}: Already exists`,
      `Digest: ${image.manifest.digest}`,
      `Status: Image is up to date for ${name}:latest`,
      `${name}:latest`,
    ]);
    expect(sandbox.ok(["pull", "-q", name])).toBe(`${name}:latest`);
    expect(unfinished()).toEqual([]);
  });
});
void [zstdCompressSync, DOCKER_LIST, OCI_LAYER, OCI_LAYER_ZSTD, indexOf];
