/** `bocker pull` against the real docker-registry. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { digestOf, shortDigest } from "../../../src/base/digest.ts";
import { DOCKER_LIST, OCI_LAYER, OCI_LAYER_ZSTD } from "../../../src/spec/media-types.ts";
import { OVERLAY, Sandbox } from "../sandbox.ts";
import { imageOf, indexOf, type Layer, layerOf, tarOf } from "./layout.ts";
import { Registry } from "./registry.ts";

let sandbox: Sandbox;
let registry: Registry;
beforeAll(async () => {
  sandbox = new Sandbox(undefined, OVERLAY);
  registry = await Registry.start(sandbox, "localhost:5000");
});
afterAll(async () => {
  await registry?.stop();
  sandbox.remove();
});

const layers = new Map<string, Layer>();

/** A layer with one file, unlike every other name's. */
function layer(name: string, content = name): Layer {
  const made =
    layers.get(name) ?? layerOf(tarOf((directory) => writeFileSync(join(directory, name), content)));
  layers.set(name, made);
  return made;
}

/** The layer directories in the store, by chain id. */
function layerFile(diffId: string, path: string): string {
  return readFileSync(join(sandbox.data, "overlay", diffId.slice(7), "diff", path), "utf8");
}

function hasLayer(diffId: string): boolean {
  return existsSync(join(sandbox.data, "overlay", diffId.slice(7)));
}

function storedBlob(digest: string): Buffer {
  return readFileSync(join(sandbox.data, "content/blobs/sha256", digest.slice(7)));
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

  test.each([
    ["gzip", layerOf(tarOf((d) => writeFileSync(join(d, "a"), "gzip")))],
    [
      "zstd",
      layerOf(
        tarOf((d) => writeFileSync(join(d, "a"), "zstd")),
        OCI_LAYER_ZSTD,
        zstdCompressSync,
      ),
    ],
    [
      "plain",
      layerOf(
        tarOf((d) => writeFileSync(join(d, "a"), "plain")),
        OCI_LAYER,
        (tar) => tar,
      ),
    ],
  ])("unpacks a layer that is %s", (kind, made) => {
    sandbox.ok(["pull", registry.push(`kind/${kind}`, imageOf([made]))]);
    expect(layerFile(digestOf(made.tar), "a")).toBe(kind);
    expect(storedBlob(made.blob.digest).equals(made.blob.bytes)).toBe(true);
  });

  test("takes Docker's schema 2 as well as OCI's manifests, and keeps them as they are", () => {
    const image = imageOf([layer("schema2")], { docker: true });
    const output = sandbox.ok(["pull", registry.push("schema2:1", image)]);
    expect(output).toContain(`Digest: ${image.manifest.digest}`);
    expect(storedBlob(image.manifest.digest).equals(image.manifest.bytes)).toBe(true);
  });

  test.each([
    ["index", undefined],
    ["manifest list", DOCKER_LIST],
  ])("chooses the platform in an %s", (kind, mediaType) => {
    const [amd, arm] = [layer(`amd64 ${kind}`), layer(`arm64 ${kind}`)];
    const images = {
      "linux/amd64": imageOf([amd]),
      "linux/arm64/v8": imageOf([arm], { config: { architecture: "arm64", variant: "v8" } }),
    };
    const index = indexOf(images, mediaType);
    const name = registry.push("platforms", { index, images: Object.values(images) });
    const pull = (...flags: string[]) => sandbox.ok(["pull", ...flags, name]);
    expect(pull("--platform", "linux/amd64")).toContain(`Digest: ${index.digest}`);
    expect(hasLayer(digestOf(amd.tar))).toBe(true);
    expect(hasLayer(digestOf(arm.tar))).toBe(false);
    expect(pull("--platform", "linux/arm64")).toContain("Downloaded newer image");
    expect(hasLayer(digestOf(arm.tar))).toBe(true);
    expect(sandbox.bocker(["pull", "--platform", "linux/s390x", name])).toMatchObject({
      code: 1,
      stderr: "Error: no matching manifest for linux/s390x in the manifest list entries\n",
    });
  });

  test("refuses another platform than the one asked for, and other systems", () => {
    const arm = imageOf([layer("only-arm")], { config: { architecture: "arm64" } });
    const name = registry.push("single", arm);
    expect(sandbox.bocker(["pull", "--platform", "linux/amd64", name]).stderr).toContain(
      "does not match the specified platform: wanted linux/amd64, actual: linux/arm64",
    );
    const windows = registry.push("windows", imageOf([layer("win")], { config: { os: "windows" } }));
    expect(sandbox.bocker(["pull", windows]).stderr).toContain(
      'image operating system "windows" cannot be used on this platform',
    );
    expect(sandbox.bocker(["pull", "--platform", "li nux", name]).stderr).toContain("invalid platform");
  });

  test("pulls by digest, by NAME TAG and with both tag and digest", () => {
    const image = imageOf([layer("forms")]);
    const name = registry.push("forms:v1", image).replace(":v1", "");
    const byDigest = `${name}@${image.manifest.digest}`;
    const output = sandbox.ok(["pull", byDigest]).split("\n");
    expect([output[0], ...output.slice(-2)]).toEqual([
      `${byDigest}: Pulling from forms`,
      `Status: Downloaded newer image for ${byDigest}`,
      byDigest,
    ]);
    expect(sandbox.ok(["pull", name, "v1"])).toEndWith(`${name}:v1`);
    expect(sandbox.ok(["pull", `${name}:other@${image.manifest.digest}`])).toContain("up to date");
    expect(sandbox.bocker(["pull", `${name}:v1`, "v1"]).code).toBe(125);
    const wrong = `${name}@sha256:${"0".repeat(64)}`;
    expect(sandbox.bocker(["pull", wrong]).stderr).toContain(
      `manifest for ${wrong} not found: manifest unknown`,
    );
  });

  test("a tag that moved brings the newer image", () => {
    registry.push("moving", imageOf([layer("old")]));
    expect(sandbox.ok(["pull", `${registry.host}/moving`])).toContain("Downloaded newer image");
    const next = imageOf([layer("old"), layer("new")]);
    const output = sandbox.ok(["pull", registry.push("moving", next)]);
    expect(output).toContain("Already exists");
    expect(output).toContain(`Digest: ${next.manifest.digest}`);
    expect(output).toContain("Downloaded newer image");
  });

  test("an image of 130 layers, the same one many times", () => {
    const many = Array.from({ length: 130 }, (_, i) => layer(`many-${i % 10}`));
    const name = registry.push("many", imageOf(many));
    expect(sandbox.ok(["pull", name]).match(/Pull complete/g)?.length).toBe(130);
    expect(sandbox.ok(["pull", name]).match(/Already exists/g)?.length).toBe(130);
  });

  test("says what is not there, and where nobody answers", () => {
    expect(sandbox.bocker(["pull", `${registry.host}/words:no`])).toMatchObject({
      code: 1,
      stderr: `Error: manifest for ${registry.host}/words:no not found: manifest unknown: manifest unknown\n`,
    });
    expect(sandbox.bocker(["pull", `${registry.host}/no-such`]).stderr).toContain("manifest unknown");
    expect(sandbox.bocker(["pull", "localhost:5999/a"]).stderr).toBe(
      "Error: cannot connect to localhost:5999: connection refused: check that the registry is running and that its port is right\n",
    );
    expect(sandbox.bocker(["pull", "UPPER"]).stderr).toContain("must be lowercase");
    expect(sandbox.bocker(["pull", "--disable-content-trust", `${registry.host}/words`]).stderr).toContain(
      "not supported yet",
    );
  });
});
