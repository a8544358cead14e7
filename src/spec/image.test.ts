import { expect, test } from "bun:test";
import { parseImageConfig } from "./image-config.ts";
import { parseManifest } from "./image-manifest.ts";
import { parseJson } from "./json.ts";
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from "./media-types.ts";

const DIGEST = `sha256:${"0a".repeat(32)}`;
const descriptor = { mediaType: "application/vnd.oci.image.config.v1+json", digest: DIGEST, size: 2 };
const manifest = { schemaVersion: 2, config: descriptor, layers: [descriptor] };
const index = {
  schemaVersion: 2,
  manifests: [{ ...descriptor, platform: { os: "linux", architecture: "arm" } }],
};
const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

test("manifests and indexes are told apart by what announced them", () => {
  expect(parseManifest(bytes(manifest), OCI_MANIFEST).kind).toBe("manifest");
  expect(parseManifest(bytes({ ...manifest, mediaType: DOCKER_MANIFEST }), DOCKER_MANIFEST).kind).toBe(
    "manifest",
  );
  expect(parseManifest(bytes(index), DOCKER_LIST).kind).toBe("index");
  expect(parseManifest(bytes(index)).kind).toBe("index");
  expect(parseManifest(bytes(manifest)).kind).toBe("manifest");
});

test.each([
  ["both kinds at once", { ...manifest, ...index }, OCI_INDEX, "both manifests and layers"],
  ["another type than announced", { ...manifest, mediaType: OCI_MANIFEST }, DOCKER_MANIFEST, "announced as"],
  ["a manifest announced as index", manifest, OCI_INDEX, "manifests"],
  ["a duplicate key", '{"schemaVersion":2,"layers":[],"layers":[]}', OCI_MANIFEST, '"layers" twice'],
  ["an escaped duplicate", '{"schemaVersion":2,"layers":[],"l\\u0061yers":[]}', OCI_MANIFEST, "twice"],
  ["a case variant", { ...manifest, Layers: [] }, OCI_MANIFEST, '"Layers" is not "layers"'],
  [
    "a digest that is a path",
    { ...manifest, config: { ...descriptor, digest: "sha256:../../x" } },
    OCI_MANIFEST,
    "config.digest",
  ],
  ["a rounded size", { ...manifest, config: { ...descriptor, size: 2 ** 53 } }, OCI_MANIFEST, "config.size"],
  ["a negative size", { ...manifest, config: { ...descriptor, size: -1 } }, OCI_MANIFEST, "config.size"],
  ["schema 1", { schemaVersion: 1 }, undefined, "schema 1"],
  ["an unknown type", manifest, "text/html", "unsupported manifest media type"],
  ["no object", "[]", OCI_MANIFEST, "not an object"],
  ["no JSON", "{", OCI_MANIFEST, "not valid JSON"],
  ["too many bytes", " ".repeat((4 << 20) + 1), OCI_MANIFEST, "larger than"],
])("a manifest with %s is refused", (_name, document, type, message) => {
  expect(() => parseManifest(bytes(document), type)).toThrow(message);
});

test("nesting is limited before anything walks it", () => {
  expect(() => parseJson(bytes("[".repeat(1000) + "]".repeat(1000)), "x")).toThrow("nested deeper");
  expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]), "x")).toThrow("not valid JSON");
});

test("strings that look like structure are no structure", () => {
  expect(parseJson(bytes('{"a":"{\\"a\\":1","b":["a","a"],"c" : {"a":1}}'), "x")).toEqual({
    a: '{"a":1',
    b: ["a", "a"],
    c: { a: 1 },
  });
});

test("labels with names of Object.prototype stay labels", () => {
  const text =
    '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":null},"future":1,' +
    '"config":{"Cmd":null,"Labels":{"__proto__":"p","constructor":"c","toString":"t"},"X":[1]}}';
  const config = parseImageConfig(bytes(text));
  const labels = config.config?.Labels ?? {};
  expect(Object.entries(labels)).toEqual([
    ["__proto__", "p"],
    ["constructor", "c"],
    ["toString", "t"],
  ]);
  expect(Object.getPrototypeOf(labels)).toBe(Object.prototype);
  expect(({} as Record<string, unknown>)["p"]).toBeUndefined();
  expect(config["future"]).toBe(1);
  expect(config.config?.["X"]).toEqual([1]);
  expect(config.config?.Cmd).toBeNull();
});

test("a configuration of the wrong shape names the place", () => {
  const config = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } };
  expect(() => parseImageConfig(bytes({ ...config, config: { Env: "A=1" } }))).toThrow("config.Env");
  expect(() => parseImageConfig(bytes({ ...config, rootfs: { type: "zfs" } }))).toThrow("rootfs.type");
});
