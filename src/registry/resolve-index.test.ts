/** Everything of an index: nested ones, what is no image, what is listed twice, and what has no end. */
import { expect, test } from "bun:test";
import { digestOf } from "../base/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from "../spec/media-types.ts";
import type { FetchedManifest } from "./client.ts";
import type { Source } from "./resolve.ts";
import { imageFor, resolveIndex } from "./resolve-index.ts";

class Documents implements Source {
  readonly #bytes = new Map<string, { bytes: Buffer; mediaType: string }>();
  asked = 0;

  add(mediaType: string, document: unknown): { mediaType: string; digest: string; size: number } {
    const bytes = Buffer.from(JSON.stringify(document));
    const digest = digestOf(bytes);
    this.#bytes.set(digest, { bytes, mediaType });
    return { mediaType, digest, size: bytes.length };
  }

  async manifest(name: string): Promise<FetchedManifest> {
    this.asked++;
    const { bytes, mediaType } = this.#bytes.get(name)!;
    return { bytes, digest: digestOf(bytes), mediaType };
  }

  async *blob(digest: string): AsyncGenerator<Uint8Array, void, void> {
    yield this.#bytes.get(digest)!.bytes;
  }

  image(architecture: string, layerType = OCI_LAYER) {
    const layer = this.add(layerType, `layer of ${architecture}`);
    const rootfs = { type: "layers", diff_ids: [layer.digest] };
    const config = this.add(OCI_CONFIG, { architecture, os: "linux", rootfs });
    const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] };
    return { ...this.add(OCI_MANIFEST, manifest), platform: { architecture, os: "linux" } };
  }

  index(...manifests: unknown[]) {
    return this.add(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  }
}

const linux = (architecture: string) => ({ os: "linux", architecture });
const resolve = async (source: Documents, top: { digest: string }, platforms?: string[]) => {
  const fetched = await source.manifest(top.digest);
  const { entries } = await resolveIndex(source, fetched, { platforms: platforms?.map(linux) });
  return entries.map(({ fetched: { digest }, image }) => [digest, image?.platform.architecture]);
};

test("all, some, and none that is asked for", async () => {
  const source = new Documents();
  const [one, two] = [source.image("amd64"), source.image("s390x")];
  const other = {
    ...source.image("x", "application/vnd.in-toto+json"),
    platform: { os: "unknown", architecture: "unknown" },
  };
  const top = source.index(one, two, other, one);
  expect(await resolve(source, top)).toEqual([
    [one.digest, "amd64"],
    [two.digest, "s390x"],
    [other.digest, undefined],
  ]);
  expect(await resolve(source, top, ["s390x"])).toEqual([[two.digest, "s390x"]]);
  await expect(resolve(source, top, ["s390x", "riscv64"])).rejects.toMatchObject({ code: "not-found" });
  const some = await resolveIndex(source, await source.manifest(top.digest), {
    platforms: undefined,
    isThere: ({ digest }) => digest === two.digest,
  });
  expect(some.entries.map(({ blobs }) => blobs.length)).toEqual([2]);
});

test("an index within an index comes behind what it lists; an entry without a platform has that of its image", async () => {
  const source = new Documents();
  const { platform: _, ...plain } = source.image("amd64");
  const inner = source.index(plain);
  const two = source.image("s390x");
  const top = source.index(inner, two);
  expect(await resolve(source, top)).toEqual([
    [plain.digest, "amd64"],
    [inner.digest, undefined],
    [two.digest, "s390x"],
  ]);
  expect(await resolve(source, top, ["amd64"])).toEqual([
    [plain.digest, "amd64"],
    [inner.digest, undefined],
  ]);
  await expect(resolve(source, top, ["riscv64"])).rejects.toMatchObject({ code: "not-found" });
});

test("F7: indexes without end are followed a few steps", async () => {
  const source = new Documents();
  let top = source.index();
  for (let depth = 0; depth < 100; depth++) top = source.index(top);
  await expect(resolve(source, top)).rejects.toMatchObject({ code: "corrupt" });
  expect(source.asked).toBeLessThan(10);
});

test("the nearest variant among images, or none", () => {
  const images = ["v6", "v7"].map((variant) => ({ platform: { os: "linux", architecture: "arm", variant } }));
  expect(imageFor(images, { os: "linux", architecture: "arm" })).toBe(images[1]!);
  expect(imageFor(images, { os: "linux", architecture: "arm", variant: "v5" })).toBeUndefined();
});
