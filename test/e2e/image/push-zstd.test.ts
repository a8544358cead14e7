/** `push --compression`: other blobs, another manifest, the same image. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { imageOf, layerOf, tarOf } from "./layout.ts";
import { Registry } from "./registry.ts";

const HOST = "127.0.0.1:5000";
const ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd";
const GZIP = "application/vnd.oci.image.layer.v1.tar+gzip";

let sandbox: Sandbox;
let registry: Registry;
beforeAll(async () => {
  sandbox = busyboxSandbox();
  registry = await Registry.start(sandbox, HOST);
});
afterAll(async () => {
  await registry?.stop();
  sandbox.remove();
});

const manifest = (name: string) => JSON.parse(sandbox.ok(["manifest", "inspect", name]));
const types = (name: string) =>
  manifest(name).layers.map(({ mediaType }: { mediaType: string }) => mediaType);
const id = (name: string) => sandbox.ok(["inspect", "-f", "{{.Id}}", name]);
const content = () => readdirSync(join(sandbox.data, "content"), { recursive: true }).map(String).sort();

test("an image that was made here: nothing of the packing stays, and it comes back as itself", () => {
  const name = `${HOST}/made:1`;
  sandbox.ok(["create", "--name", "box", "busybox"]);
  sandbox.ok(["commit", "box", "upon"]);
  sandbox.ok(["tag", "upon", name]);
  const before = content();
  sandbox.ok(["push", "-q", "--compression", "zstd", name]);
  expect(content()).toEqual(before);
  expect(types(name)).toEqual([ZSTD, ZSTD]);
  const own = id(name);
  sandbox.ok(["rmi", "-f", own]);
  sandbox.ok(["rm", "box"]);
  sandbox.ok(["pull", "-q", name]);
  expect(id(name)).toBe(own);
  expect(sandbox.ok(["run", "--rm", name, "cat", "/seed/file"])).toBe("from the image");
  const copied = join(sandbox.directory, "copied");
  sandbox.execute(["skopeo", "copy", "--src-tls-verify=false", `docker://${name}`, `dir:${copied}`]);
  expect(readdirSync(copied)).toContain("manifest.json");
});

test("one that was pulled, of Docker's form, with the same layer twice, there and back", () => {
  const layer = layerOf(tarOf((at) => writeFileSync(join(at, "a"), "a".repeat(5000))));
  const other = layerOf(tarOf((at) => writeFileSync(join(at, "b"), "b".repeat(5000))));
  const name = registry.push("docker:1", imageOf([layer, other, layer], { docker: true }));
  sandbox.ok(["pull", "-q", name]);
  const own = id(name);
  const before = content();
  const zstd = `${HOST}/docker:zstd`;
  sandbox.ok(["tag", name, zstd]);
  sandbox.ok(["push", "-q", "--compression", "zstd", zstd]);
  expect(types(zstd)).toEqual([ZSTD, ZSTD, ZSTD]);
  expect(manifest(zstd).mediaType).toBe("application/vnd.oci.image.manifest.v1+json");
  expect(content()).toEqual(before);
  sandbox.ok(["rmi", "-f", own]);
  sandbox.ok(["pull", "-q", zstd]);
  expect(id(zstd)).toBe(own);
  const gzip = `${HOST}/docker:gzip`;
  sandbox.ok(["tag", zstd, gzip]);
  sandbox.ok(["push", "-q", "--compression", "gzip", gzip]);
  expect(types(gzip)).toEqual([GZIP, GZIP, GZIP]);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("what cannot be is said", () => {
  const { code, stderr } = sandbox.bocker(["push", "--compression", "xz", `${HOST}/made:1`]);
  expect([code, stderr]).toEqual([
    125,
    expect.stringContaining('invalid argument "xz" for --compression: gzip or zstd'),
  ]);
});
