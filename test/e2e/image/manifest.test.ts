/** Images of several platforms under one name; all tags at once; mirrors and registries without certificates. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OCI_INDEX } from "../../../src/spec/media-types.ts";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { blobOf, imageOf, layerOf, tarOf } from "./layout.ts";
import { Registry } from "./registry.ts";

const HOST = "127.0.0.1:5000";
let sandbox: Sandbox;
let registry: Registry;
beforeAll(async () => {
  sandbox = busyboxSandbox();
  registry = await Registry.start(sandbox, HOST);
  for (const architecture of ["amd64", "arm64"]) {
    const root = join(sandbox.directory, architecture);
    mkdirSync(root);
    writeFileSync(join(root, "architecture"), architecture);
    sandbox.execute(["tar", "-C", root, "-cf", `${root}.tar`, "."]);
    const name = `${HOST}/multi/${architecture}:1`;
    sandbox.ok(["import", "--platform", `linux/${architecture}`, `${root}.tar`, name]);
    sandbox.ok(["push", name]);
  }
});
afterAll(async () => {
  await registry?.stop();
  sandbox.remove();
});

const LIST = `${HOST}/multi/all:1`;
const images = ["amd64", "arm64"].map((architecture) => `${HOST}/multi/${architecture}:1`);
const refused = (...words: string[]) => {
  const { code, stdout, stderr } = sandbox.bocker(words);
  expect([code, stdout]).toEqual([1, ""]);
  return stderr;
};
/** With a file of registries' settings. */
function configured(settings: object | string, words: string[]) {
  const path = join(sandbox.directory, "registries.json");
  writeFileSync(path, typeof settings === "string" ? settings : JSON.stringify(settings));
  return sandbox.execute(["env", `BOCKER_REGISTRIES=${path}`, sandbox.binary, ...words]);
}

test("a list is made of what the registry has, corrected, pushed, and pulled by platform", () => {
  expect(sandbox.ok(["manifest", "create", LIST, ...images])).toBe(`Created manifest list ${LIST}`);
  expect(refused("manifest", "create", LIST, images[0]!)).toContain("with no --amend flag");
  const shown = () => JSON.parse(sandbox.ok(["manifest", "inspect", LIST]));
  expect(shown()).toMatchObject({
    schemaVersion: 2,
    manifests: [
      { platform: { os: "linux", architecture: "amd64" } },
      { platform: { os: "linux", architecture: "arm64" } },
    ],
  });
  sandbox.ok(["manifest", "annotate", "--variant", "v8", "--os-version", "6.1", LIST, images[1]!]);
  expect(shown().manifests[1].platform).toEqual({
    architecture: "arm64",
    os: "linux",
    variant: "v8",
    "os.version": "6.1",
  });
  // What Docker does not know is refused, and changes nothing; an empty value is none.
  for (const [flags, platform] of [
    [["--os", "x", "--arch", "y"], "x/y"],
    [["--arch", "x86_64"], "linux/x86_64"],
    [["--os", "plan9"], "plan9/arm64"],
    [["--os", "constructor"], "constructor/arm64"],
  ] as [string[], string][])
    expect(refused("manifest", "annotate", ...flags, LIST, images[1]!)).toContain(
      `manifest entry for image has unsupported os/arch combination: ${platform}`,
    );
  sandbox.ok(["manifest", "annotate", "--os", "", "--arch", "", "--variant", "", LIST, images[1]!]);
  expect(shown().manifests[1].platform).toMatchObject({ architecture: "arm64", os: "linux", variant: "v8" });
  for (const features of [["a"], ["b,a", "c"]])
    sandbox.ok([
      "manifest",
      "annotate",
      ...features.flatMap((feature) => ["--os-features", feature]),
      LIST,
      images[0]!,
    ]);
  expect(shown().manifests[0].platform["os.features"]).toEqual(["a", "b", "c"]);
  expect(JSON.parse(sandbox.ok(["manifest", "inspect", LIST, images[0]!]))).toHaveProperty("layers");
  const digest = sandbox.ok(["manifest", "push", "--purge", LIST]);
  expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  // Other programs see the same.
  const raw = sandbox.execute([
    "skopeo",
    "inspect",
    "--raw",
    "--tls-verify=false",
    `docker://${LIST}`,
  ]).stdout;
  expect(JSON.parse(raw)).toEqual(JSON.parse(sandbox.ok(["manifest", "inspect", LIST])));
  for (const architecture of ["amd64", "arm64"]) {
    expect(sandbox.ok(["pull", "--platform", `linux/${architecture}`, LIST])).toContain(`Digest: ${digest}`);
    expect(sandbox.ok(["inspect", "-f", "{{.Architecture}}", LIST])).toBe(architecture);
  }
  const [first] = JSON.parse(sandbox.ok(["manifest", "inspect", "-v", LIST]));
  expect(first).toMatchObject({ Ref: LIST, Descriptor: { platform: { architecture: "amd64" } } });
  expect(JSON.parse(sandbox.ok(["manifest", "inspect", "-v", images[0]!]))).toMatchObject({
    Ref: images[0],
    Descriptor: { digest: expect.stringMatching(/^sha256:/) },
    OCIManifest: { schemaVersion: 2 },
  });
});

test("what cannot be is said: no such list, a list in a list, other registries, no platform", () => {
  expect(refused("manifest", "rm", LIST)).toContain("No such manifest");
  expect(refused("manifest", "create", `${HOST}/x:1`, LIST)).toContain("is itself a manifest list");
  expect(refused("manifest", "create", `${HOST}/x:1`, `${HOST}/multi/none:1`)).not.toBe("");
  sandbox.ok(["manifest", "create", "127.0.0.1:5999/x:1", images[0]!]);
  expect(refused("manifest", "push", "127.0.0.1:5999/x:1")).toContain("from a different registry");
  sandbox.ok(["manifest", "annotate", "--arch", "", "127.0.0.1:5999/x:1", images[0]!]);
  expect(refused("manifest", "annotate", "127.0.0.1:5999/x:1", images[1]!)).toContain("does not exist in");
  sandbox.ok(["manifest", "create", "--amend", "127.0.0.1:5999/x:1", images[1]!]);
  expect(JSON.parse(sandbox.ok(["manifest", "inspect", "127.0.0.1:5999/x:1"])).manifests).toHaveLength(2);
  expect(sandbox.ok(["manifest", "rm", "--dry-run", "127.0.0.1:5999/x:1"])).toBe("127.0.0.1:5999/x:1");
  expect(sandbox.ok(["manifest", "rm", "127.0.0.1:5999/x:1"])).toBe("");
  expect(refused("manifest", "rm", "--dry-run", "127.0.0.1:5999/x:1")).toContain("No such manifest");
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("what refers to an image is listed, by the tag schema in a registry that knows nothing else", () => {
  const name = images[0]!;
  const list = (...words: string[]) => sandbox.ok(["manifest", "referrers", ...words, name]).split("\n");
  expect(list()).toEqual(["DIGEST    ARTIFACT TYPE   SIZE"]);
  const [{ Descriptor: subject }] = [JSON.parse(sandbox.ok(["manifest", "inspect", "-v", name]))];
  const { mediaType, digest, size } = subject;
  const one = imageOf([layerOf(tarOf((at) => writeFileSync(join(at, "a"), "a")))]);
  const two = imageOf([layerOf(tarOf((at) => writeFileSync(join(at, "b"), "b")))]);
  const descriptors = [one, two].map(({ manifest }, at) => ({
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.size,
    artifactType: ["application/sbom", "application/signature"][at],
    annotations: { by: "ada" },
  }));
  const document = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: descriptors };
  const index = blobOf(OCI_INDEX, Buffer.from(JSON.stringify(document)));
  registry.push(`multi/amd64:${digest.replace(":", "-")}`, { index, images: [one, two] });
  expect(list().slice(1)).toEqual([
    expect.stringMatching(new RegExp(`^${one.manifest.digest} +application/sbom +${one.manifest.size}B$`)),
    expect.stringMatching(
      new RegExp(`^${two.manifest.digest} +application/signature +${two.manifest.size}B$`),
    ),
  ]);
  const format = [
    "--artifact-type",
    "application/sbom",
    "--format",
    "{{.Digest}} {{.MediaType}} {{.Annotations}}",
  ];
  expect(list(...format)).toEqual([`${one.manifest.digest} ${one.manifest.mediaType} by=ada`]);
  expect([mediaType, size > 0]).toEqual(["application/vnd.oci.image.manifest.v1+json", true]);
  expect(sandbox.bocker(["manifest", "referrers", `${HOST}/none`]).code).toBe(1);
});

test("save, push and history of another platform than the image's are refused", () => {
  const [amd64 = "", arm64 = ""] = images;
  for (const command of [["history"], ["push", "-q"], ["save", "-o", join(sandbox.directory, "p.tar")]]) {
    expect(sandbox.bocker([...command, "--platform", "linux/amd64", amd64]).code).toBe(0);
    expect(refused(...command, "--platform", "linux/amd64", arm64)).toContain(
      "does not provide the specified platform (linux/amd64)",
    );
    expect(refused(...command, "--platform", "nonsense/a/b/c", amd64)).toContain("invalid platform");
  }
});

test("pull --all-tags: every tag that the registry has", () => {
  const name = `${HOST}/tags/many`;
  const tags = Array.from({ length: 7 }, (_, at) => `v${at}`);
  for (const tag of tags) {
    sandbox.ok(["tag", "busybox", `${name}:${tag}`]);
    sandbox.ok(["push", "-q", `${name}:${tag}`]);
  }
  sandbox.ok(["rmi", ...tags.map((tag) => `${name}:${tag}`)]);
  const said = sandbox.ok(["pull", "-a", name]);
  for (const tag of tags) expect(said).toContain(`${tag}: Pulling from tags/many\n`);
  expect(said.split("\n").at(-1)).toBe(name);
  expect(sandbox.ok(["images", "--format", "{{.Tag}}", name]).split("\n").sort()).toEqual(tags);
  expect(sandbox.bocker(["pull", "-a", `${name}:v1`]).stderr).toContain(
    "tag can't be used with --all-tags/-a",
  );
  expect(refused("pull", "-a", `${HOST}/tags/none`)).not.toBe("");
});

test("mirrors are asked for Docker Hub's images, one after the other", () => {
  sandbox.ok(["tag", "busybox", `${HOST}/library/mirrored:1`]);
  sandbox.ok(["push", "-q", `${HOST}/library/mirrored:1`]);
  const mirrors = { "registry-mirrors": ["http://127.0.0.1:1", `http://${HOST}`] };
  const { code, stdout } = configured(mirrors, ["pull", "mirrored:1"]);
  expect([code, stdout]).toEqual([0, expect.stringContaining("1: Pulling from library/mirrored")]);
  expect(stdout).toEndWith("docker.io/library/mirrored:1\n");
  expect(sandbox.ok(["images", "-q", "mirrored:1"])).not.toBe("");
});

test("plain http to another machine only where the administrator says so", async () => {
  // A loopback address would do without.
  sandbox.execute(["ip", "address", "add", "10.9.9.9/32", "dev", "lo"]);
  const other = await Registry.start(sandbox, "10.9.9.9:5001");
  try {
    const name = "10.9.9.9:5001/plain:1";
    sandbox.ok(["tag", "busybox", name]);
    const push = ["push", "-q", name];
    expect(sandbox.bocker(push).code).toBe(1);
    expect(configured({ "insecure-registries": ["10.9.8.0/24", "other:5001"] }, push).code).toBe(1);
    expect(configured({ "insecure-registries": ["10.9.0.0/16"] }, push).code).toBe(0);
    expect(configured({ "insecure-registries": ["10.9.9.9:5001"], debug: true }, ["pull", name]).code).toBe(
      0,
    );
    expect(sandbox.bocker(["manifest", "inspect", name]).code).toBe(1);
    expect(sandbox.bocker(["manifest", "inspect", "--insecure", name]).code).toBe(0);
  } finally {
    await other.stop();
  }
});

test.each([
  ["{", "registries.json"],
  ['{"insecure-registries": "all"}', "insecure-registries"],
  ['{"registry-mirrors": ["ftp://x"]}', "invalid registry mirror"],
  ['{"registry-mirrors": ["https://user:secret@x/"]}', "invalid registry mirror"],
])("settings that cannot be understood are refused: %s", (text, reason) => {
  const { code, stderr } = configured(text, ["pull", "mirrored:1"]);
  expect([code, stderr]).toEqual([1, expect.stringContaining(reason)]);
});
