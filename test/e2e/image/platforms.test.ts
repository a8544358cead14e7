/** Images that are kept whole, with several platforms: pulled, shown, run, saved, loaded, pushed and removed; skopeo looks. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../../src/base/digest.ts";
import { DOCKER_LIST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../../src/spec/media-types.ts";
import { Sandbox } from "../sandbox.ts";
import { type Blob, blobOf, type Image, imageOf, indexOf, layerOf, tarOf } from "./layout.ts";
import { Registry } from "./registry.ts";

const HOST = "127.0.0.1:5000";
const [NATIVE, FOREIGN] = process.arch === "x64" ? ["amd64", "arm64"] : ["arm64", "amd64"];
const LIST = `${HOST}/multi/all:1`;

/** Programs of this machine, whatever the image says: so that each platform can be run here. */
const busybox = layerOf(
  tarOf((directory) => {
    mkdirSync(join(directory, "bin"));
    copyFileSync("/bin/busybox", join(directory, "bin/busybox"));
    for (const name of ["sh", "cat"]) symlinkSync("busybox", join(directory, "bin", name));
  }),
);
const layerWith = (text: string) =>
  layerOf(tarOf((directory) => writeFileSync(join(directory, "platform"), text)));
const box = (architecture: string, text = architecture) =>
  imageOf([busybox, layerWith(text)], {
    config: { architecture, config: { Cmd: ["cat", "/platform"] } },
  });

/** What buildkit adds for each platform: a manifest that is no image. */
function attestationOf(image: Image): Image {
  const statement = blobOf("application/vnd.in-toto+json", Buffer.from(`{"of":"${image.manifest.digest}"}`));
  const config = blobOf(
    OCI_CONFIG,
    Buffer.from('{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers"}}'),
  );
  const descriptor = ({ mediaType, digest, size }: Blob) => ({ mediaType, digest, size });
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(config),
    layers: [descriptor(statement)],
  };
  return {
    manifest: blobOf(OCI_MANIFEST, Buffer.from(JSON.stringify(manifest))),
    blobs: [config, statement],
  };
}

/** An index in a form that nobody would write again in the same way. */
function wholeOf(platforms: readonly string[], text?: string): { index: Blob; images: Image[] } {
  const images = platforms.map((architecture) => box(architecture, text && `${architecture} ${text}`));
  const attestations = images.map(attestationOf);
  const entry = ({ manifest: { mediaType, digest, size } }: Image, rest: object) => ({
    mediaType,
    digest,
    size,
    ...rest,
  });
  const manifests = [
    ...images.map((image, at) => entry(image, { platform: { architecture: platforms[at], os: "linux" } })),
    ...attestations.map((image, at) =>
      entry(image, {
        annotations: { "vnd.docker.reference.digest": images[at]!.manifest.digest },
        platform: { architecture: "unknown", os: "unknown" },
      }),
    ),
  ];
  const document = { manifests, mediaType: OCI_INDEX, schemaVersion: 2, "x-own": "kept" };
  return {
    index: blobOf(OCI_INDEX, Buffer.from(JSON.stringify(document, null, 7))),
    images: [...images, ...attestations],
  };
}

const ARCHITECTURES = [FOREIGN!, NATIVE!, "s390x"];
const whole = wholeOf(ARCHITECTURES);
const PLATFORMS = ARCHITECTURES.map((architecture) => `linux/${architecture}`);
const D = whole.index.digest;

let sandbox: Sandbox;
let registry: Registry;
beforeAll(async () => {
  sandbox = new Sandbox();
  registry = await Registry.start(sandbox, HOST);
  registry.push("multi/all:1", whole);
  registry.push("multi/next:1", wholeOf(ARCHITECTURES, "next"));
  registry.push("multi/one:1", box(NATIVE!));
});
afterAll(async () => {
  await registry?.stop();
  sandbox.remove();
});
beforeEach(() => {
  const ids = sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean);
  if (ids.length > 0) sandbox.ok(["rm", "-f", ...ids]);
  sandbox.ok(["image", "prune", "-a", "-f"]);
});

const path = (name: string) => join(sandbox.directory, name);
const clean = () => expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
const blobs = () => {
  const { stdout } = sandbox.execute(["ls", join(sandbox.data, "content/blobs/sha256")]);
  return stdout.split("\n").filter(Boolean);
};
const layers = () =>
  sandbox.execute(["find", sandbox.data, "-name", "platform"]).stdout.split("\n").filter(Boolean);
const refused = (...words: string[]) => {
  const { code, stderr } = sandbox.bocker(words);
  expect([words, code]).toEqual([words, 1]);
  return stderr;
};
const run = (...words: string[]) => sandbox.ok(["run", "--rm", "--network", "none", ...words]);
const raw = (where: string) => {
  const words = [
    "skopeo",
    "inspect",
    "--raw",
    ...(where.startsWith("docker:") ? ["--tls-verify=false"] : []),
    where,
  ];
  const { code, stdout, stderr } = sandbox.execute(words);
  expect([code, stderr]).toEqual([0, ""]);
  return digestOf(stdout);
};
const copy = (from: string, to: string) => {
  const { code, stderr } = sandbox.execute([
    "skopeo",
    "copy",
    "-q",
    "--all",
    ...(from.startsWith("docker:") ? ["--src-tls-verify=false"] : []),
    ...(to.startsWith("docker:") ? ["--dest-tls-verify=false"] : []),
    from,
    to,
  ]);
  expect([code, stderr]).toEqual([0, ""]);
};
/** Lines of `images --tree` without sizes: name or platform, and whether something of it is here. */
const tree = (name: string) =>
  sandbox
    .ok(["images", "--tree", name])
    .split("\n")
    .slice(1)
    .filter((line) => !line.startsWith("host"))
    .map((line) => {
      const [title = "", , size] = line.replace(/^[├└]─ /, "").split(/ +/);
      return `${title}${size === "0B" ? " missing" : ""}`;
    });

test("pull --all-platforms keeps everything, and unpacks what this machine runs", () => {
  const said = sandbox.ok(["pull", "--all-platforms", LIST]);
  expect(said).toContain(`Digest: ${D}\nStatus: Downloaded newer image for ${LIST}`);
  expect(sandbox.ok(["pull", "--all-platforms", LIST])).toContain("Status: Image is up to date");
  expect(tree(LIST)).toEqual([LIST, ...PLATFORMS]);
  expect(sandbox.ok(["images", "--digests", "--format", "{{.Digest}}", LIST])).toBe(D);
  const all = [whole.index, ...whole.images.flatMap(({ manifest, blobs: own }) => [manifest, ...own])];
  expect(blobs().sort()).toEqual([...new Set(all.map(({ digest }) => digest.slice(7)))].sort());
  expect(layers()).toHaveLength(1);
  expect(run(LIST)).toBe(NATIVE!);
  clean();
  sandbox.ok(["rmi", LIST]);
  expect([blobs(), layers()]).toEqual([[], []]);
  clean();
});

test("of an image without an index the flags change nothing", () => {
  const one = `${HOST}/multi/one:1`;
  sandbox.ok(["pull", "--all-platforms", one]);
  sandbox.ok(["pull", "--platform", PLATFORMS.join(), one]);
  expect(tree(one)).toEqual([one, `linux/${NATIVE}`]);
  expect(refused("pull", "--platform", "linux/s390x,linux/riscv64", one)).toContain(
    "does not match the specified platform",
  );
  const both = sandbox.bocker(["pull", "--all-platforms", "--platform", "linux/s390x", one]);
  expect([both.code, both.stderr]).toEqual([125, expect.stringContaining("mutually exclusive")]);
  clean();
});

test("some platforms: the rest is missing, and comes when it is asked for", () => {
  sandbox.ok(["pull", "--platform", PLATFORMS[1]!, "--platform", "linux/s390x", LIST]);
  expect(tree(LIST)).toEqual([LIST, `${PLATFORMS[0]} missing`, ...PLATFORMS.slice(1)]);
  sandbox.ok(["tag", LIST, `${HOST}/multi/part:1`]);
  const reason = refused("push", `${HOST}/multi/part:1`);
  expect(reason).toContain(`${HOST}/multi/part:1 cannot be pushed whole: ${PLATFORMS[0]}, sha256:`);
  expect(reason).toContain("--platform");
  // Its own repository has the rest.
  expect(sandbox.ok(["push", LIST])).toContain(`digest: ${D}`);
  expect(sandbox.ok(["push", "--platform", "linux/s390x", `${HOST}/multi/part:1`])).toContain(
    `digest: ${whole.images[2]!.manifest.digest}`,
  );
  expect(refused("pull", "--platform", "linux/s390x,linux/riscv64", LIST)).toContain(
    "no matching manifest for linux/riscv64",
  );
  // A pull of one adds to what is kept; the name stays this machine's.
  sandbox.ok(["pull", "--platform", PLATFORMS[0]!, LIST]);
  expect(tree(LIST)).toEqual([LIST, ...PLATFORMS]);
  expect(sandbox.ok(["inspect", "-f", "{{.Architecture}}", LIST])).toBe(NATIVE!);
  expect(sandbox.ok(["pull", LIST])).toContain("Status: Image is up to date");
  expect(tree(`${HOST}/multi/part:1`)).toEqual([`${HOST}/multi/part:1`, ...PLATFORMS]);
  clean();
});

test("pushed to another repository it is the same index", () => {
  sandbox.ok(["pull", "--all-platforms", LIST]);
  const other = `${HOST}/other/all:2`;
  sandbox.ok(["tag", LIST, other]);
  expect(sandbox.ok(["push", other])).toContain(`2: digest: ${D} size: ${whole.index.size}`);
  expect(raw(`docker://${other}`)).toBe(D);
  copy(`docker://${other}`, `oci:${path("pushed")}:all`);
  expect(raw(`oci:${path("pushed")}:all`)).toBe(D);
  clean();
});

test("saved whole: skopeo finds the same index, load keeps it, and saves the same bytes", () => {
  sandbox.ok(["pull", "--all-platforms", LIST]);
  sandbox.ok(["tag", LIST, "kept:1"]);
  sandbox.ok(["save", "-o", path("a.tar"), "kept:1"]);
  expect(raw(`oci-archive:${path("a.tar")}`)).toBe(D);
  copy(`oci-archive:${path("a.tar")}`, `docker://${HOST}/saved/oci:1`);
  expect(raw(`docker://${HOST}/saved/oci:1`)).toBe(D);
  copy(`docker-archive:${path("a.tar")}`, `docker://${HOST}/saved/docker:1`);
  sandbox.ok(["rmi", "kept:1", LIST]);
  expect(blobs()).toEqual([]);
  expect(sandbox.ok(["load"], readFileSync(path("a.tar")))).toBe("Loaded image: kept:1");
  expect(tree("kept:1")).toEqual(["kept:1", ...PLATFORMS]);
  expect(layers()).toHaveLength(1);
  sandbox.ok(["save", "-o", path("b.tar"), "kept:1"]);
  expect(readFileSync(path("b.tar")).equals(readFileSync(path("a.tar")))).toBe(true);
  expect(run("kept:1")).toBe(NATIVE!);
  sandbox.ok(["tag", "kept:1", `${HOST}/loaded/all:1`]);
  expect(sandbox.ok(["push", `${HOST}/loaded/all:1`])).toContain(`digest: ${D}`);
  clean();
});

test("save and load of some platforms", () => {
  sandbox.ok(["pull", "--all-platforms", LIST]);
  sandbox.ok(["tag", LIST, "kept:1"]);
  sandbox.ok(["save", "-o", path("one.tar"), "--platform", "linux/s390x", "kept:1"]);
  expect(raw(`oci-archive:${path("one.tar")}`)).toBe(whole.images[2]!.manifest.digest);
  sandbox.ok([
    "save",
    "-o",
    path("two.tar"),
    "--platform",
    PLATFORMS[0]!,
    "--platform",
    "linux/s390x",
    "kept:1",
  ]);
  sandbox.ok(["save", "-o", path("all.tar"), "kept:1"]);
  expect(refused("save", "-o", path("x.tar"), "--platform", "linux/riscv64", "kept:1")).toContain(
    "does not provide the specified platform (linux/riscv64)",
  );
  sandbox.ok(["rmi", "kept:1", LIST]);
  sandbox.ok(["load", "-i", path("one.tar")]);
  expect(sandbox.ok(["inspect", "-f", "{{.Architecture}}", "kept:1"])).toBe("s390x");
  sandbox.ok(["load", "-i", path("two.tar")]);
  expect(tree("kept:1")).toEqual(["kept:1", PLATFORMS[0]!, `${PLATFORMS[1]} missing`, PLATFORMS[2]!]);
  expect(refused("load", "--platform", PLATFORMS[1]!, "-i", path("two.tar"))).toContain("lacks");
  sandbox.ok(["load", "--platform", PLATFORMS[1]!, "-i", path("all.tar")]);
  expect(tree("kept:1")).toEqual(["kept:1", PLATFORMS[1]!]);
  sandbox.ok(["load", "--platform", PLATFORMS.slice(1).join(), "-i", path("all.tar")]);
  expect(tree("kept:1")).toEqual(["kept:1", `${PLATFORMS[0]} missing`, ...PLATFORMS.slice(1)]);
  clean();
});

test("inspect, history and run --platform: a platform is unpacked when it is run", () => {
  sandbox.ok(["pull", "--all-platforms", LIST]);
  for (const platform of PLATFORMS) {
    expect(`linux/${sandbox.ok(["inspect", "--platform", platform, "-f", "{{.Architecture}}", LIST])}`).toBe(
      platform,
    );
    expect(sandbox.ok(["image", "inspect", "--platform", platform, "-f", "{{json .RepoTags}}", LIST])).toBe(
      `["${LIST}"]`,
    );
    expect(sandbox.ok(["history", "-q", "--no-trunc", "--platform", platform, LIST]).split("\n")[0]).toMatch(
      /^sha256:/,
    );
  }
  expect(refused("history", "--platform", "linux/riscv64", LIST)).toContain("(linux/riscv64)");
  expect(layers()).toHaveLength(1);
  const explained = sandbox.bocker(["run", "--explain", "--platform", PLATFORMS[0]!, LIST]);
  expect([explained.code, explained.stderr]).toEqual([125, expect.stringContaining("packed")]);
  expect(run("--platform", PLATFORMS[0]!, "--pull", "never", LIST)).toBe(FOREIGN!);
  expect(layers()).toHaveLength(2);
  // It is no image of its own.
  expect(sandbox.ok(["images", "-q"]).split("\n")).toHaveLength(2);
  expect(sandbox.ok(["images", "-a", "-q"]).split("\n")).toHaveLength(3);
  const shown = sandbox.ok(["system", "df", "-v"]).split("\n\nContainers")[0]!.split("\n").slice(3);
  expect(shown.map((line) => line.split(/ +/).slice(0, 2).join(":"))).toEqual([LIST, LIST]);
  sandbox.ok(["image", "prune", "-f"]);
  expect(layers()).toHaveLength(2);
  expect(run("--platform", `linux/${NATIVE}`, LIST)).toBe(NATIVE!);
  expect(run(LIST)).toBe(NATIVE!);
  clean();
  sandbox.ok(["rmi", LIST]);
  expect([blobs(), layers()]).toEqual([[], []]);
  clean();
});

test("a container of one of its platforms holds the image", () => {
  sandbox.ok(["pull", "--all-platforms", LIST]);
  sandbox.ok(["create", "--name", "user", "--platform", PLATFORMS[0]!, LIST]);
  expect(refused("rmi", LIST)).toContain("is using its referenced image");
  expect(refused("rmi", "--platform", PLATFORMS[0]!, LIST)).toContain("is using its referenced image");
  sandbox.ok(["image", "prune", "-a", "-f"]);
  expect(tree(LIST)).toEqual([LIST, ...PLATFORMS]);
  expect(sandbox.ok(["start", "-a", "user"])).toBe(FOREIGN!);
  clean();
  sandbox.ok(["rmi", "-f", LIST]);
  expect(sandbox.ok(["start", "-a", "user"])).toBe(FOREIGN!);
  clean();
  sandbox.ok(["rm", "user"]);
  sandbox.ok(["image", "prune", "-f"]);
  expect([blobs(), layers()]).toEqual([[], []]);
  clean();
});

test("rmi --platform takes only that, also the name's own; with the last the name goes", () => {
  sandbox.ok(["pull", "--all-platforms", LIST]);
  const before = blobs().length;
  const dry = sandbox.ok(["rmi", "--dry-run", "--platform", "linux/s390x", LIST]);
  expect(blobs()).toHaveLength(before);
  expect(sandbox.ok(["rmi", "--platform", "linux/s390x", LIST])).toBe(dry);
  expect(dry).toContain(`Deleted: ${whole.images[2]!.manifest.digest}`);
  expect(tree(LIST)).toEqual([LIST, ...PLATFORMS.slice(0, 2), "linux/s390x missing"]);
  // Its manifest, configuration and layer, and the attestation's manifest and statement; they share a configuration.
  expect(blobs()).toHaveLength(before - 5);
  expect(refused("rmi", "--platform", "linux/s390x", LIST)).toContain(
    "does not provide the specified platform",
  );
  clean();
  sandbox.ok(["rmi", "--platform", PLATFORMS[1]!, LIST]);
  expect(run(LIST)).toBe(FOREIGN!);
  expect(layers()).toHaveLength(1);
  // Only one is left: then it is pushed alone.
  sandbox.ok(["tag", LIST, `${HOST}/multi/alone:1`]);
  const pushed = sandbox.ok(["push", `${HOST}/multi/alone:1`]);
  expect(pushed).toContain("only the available single-platform image was pushed");
  expect(raw(`docker://${HOST}/multi/alone:1`)).toBe(whole.images[0]!.manifest.digest);
  clean();
  sandbox.ok(["rmi", `${HOST}/multi/alone:1`]);
  sandbox.ok(["rmi", "--platform", PLATFORMS[0]!, LIST]);
  expect([blobs(), layers()]).toEqual([[], []]);
  clean();
});

test("the last name that stands for it frees it, what is shared stays", () => {
  sandbox.ok(["pull", LIST]);
  const single = blobs().sort();
  sandbox.ok(["tag", LIST, "single:1"]);
  sandbox.ok(["pull", "--all-platforms", LIST]);
  sandbox.ok(["tag", LIST, "whole:1"]);
  const all = blobs().length;
  sandbox.ok(["rmi", LIST]);
  expect(blobs()).toHaveLength(all);
  // A name that is given to something else stands for it no longer.
  sandbox.ok(["tag", "single:1", "whole:1"]);
  expect(blobs().sort()).toEqual(single);
  expect(run("whole:1")).toBe(NATIVE!);
  clean();
  sandbox.ok(["pull", "--all-platforms", LIST]);
  sandbox.ok(["rmi", "single:1", "whole:1"]);
  expect(blobs()).toHaveLength(all);
  sandbox.ok(["system", "prune", "-a", "-f"]);
  expect([blobs(), layers()]).toEqual([[], []]);
  clean();
});

test("bocker-classic's rm frees it, though a container has its image", () => {
  sandbox.ok(["pull", "--all-platforms", LIST]);
  sandbox.ok(["tag", LIST, "img_42"]);
  sandbox.ok(["create", "--name", "of-it", LIST]);
  const all = blobs();
  sandbox.ok(["pull", `${HOST}/multi/one:1`]);
  sandbox.ok(["tag", `${HOST}/multi/one:1`, LIST]);
  sandbox.ok(["rmi", `${LIST.slice(0, LIST.lastIndexOf(":"))}@${D}`]);
  expect(blobs()).toEqual(expect.arrayContaining(all));
  expect(sandbox.ok(["classic", "rm", "img_42"])).toBe("Removed: img_42");
  expect(blobs().length).toBeLessThan(all.length);
  clean();
});

test("a newer index under the same tag: the older one is without a tag, and goes with prune", () => {
  registry.push("multi/moving:1", whole);
  const name = `${HOST}/multi/moving:1`;
  sandbox.ok(["pull", "--all-platforms", name]);
  registry.push("multi/moving:1", wholeOf(ARCHITECTURES, "next"));
  sandbox.ok(["pull", "--all-platforms", name]);
  expect(run(name)).toBe(`${NATIVE} next`);
  clean();
  sandbox.ok(["image", "prune", "-f"]);
  expect(layers()).toHaveLength(1);
  expect(tree(name)).toEqual([name, ...PLATFORMS]);
  clean();
});

test("a tag that an archive takes over leaves its old image without a name, and frees the index", () => {
  sandbox.ok(["pull", "--all-platforms", LIST]);
  sandbox.ok(["tag", LIST, "kept:1"]);
  sandbox.ok(["save", "-o", path("old.tar"), "kept:1"]);
  sandbox.ok(["pull", "--all-platforms", `${HOST}/multi/next:1`]);
  sandbox.ok(["tag", `${HOST}/multi/next:1`, "kept:1"]);
  sandbox.ok(["save", "-o", path("new.tar"), "kept:1"]);
  sandbox.ok(["rmi", "kept:1", LIST, `${HOST}/multi/next:1`]);
  sandbox.ok(["load", "-i", path("old.tar")]);
  const id = sandbox.ok(["inspect", "-f", "{{.Id}}", "kept:1"]);
  expect(sandbox.ok(["load", "-i", path("new.tar")])).toContain("renaming the old one with ID");
  expect(run("kept:1")).toBe(`${NATIVE} next`);
  expect(run(id)).toBe(NATIVE!);
  clean();
  expect(sandbox.ok(["image", "prune", "-f"])).toContain(id);
  sandbox.ok(["rmi", "kept:1"]);
  expect([blobs(), layers()]).toEqual([[], []]);
  clean();
});

test("Docker's manifest list, and an index within an index, are what they were wherever they go", () => {
  const [one, two, three] = [box(NATIVE!), box(FOREIGN!), box("s390x")] as const;
  const list = indexOf({ [PLATFORMS[0]!]: two, [PLATFORMS[1]!]: one }, DOCKER_LIST);
  const inner = indexOf({ [PLATFORMS[1]!]: one, "linux/s390x": three });
  const nested = (entry: Blob, ...images: Image[]) => {
    const { mediaType, digest, size } = entry;
    const others = images.map(({ manifest }) => ({
      mediaType: manifest.mediaType,
      digest: manifest.digest,
      size: manifest.size,
      platform: { os: "linux", architecture: FOREIGN },
    }));
    const manifests = [{ mediaType, digest, size }, ...others];
    return blobOf(
      OCI_INDEX,
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })),
    );
  };
  const outer = nested(inner, two);
  registry.push("multi/list:1", { index: list, images: [one, two] });
  // The registry wants the inner one first.
  registry.push("multi/outer:1", { index: inner, images: [one, three] });
  registry.push("multi/outer:2", { index: outer, images: [two] });
  for (const [name, digest] of [
    [`${HOST}/multi/list:1`, list.digest],
    [`${HOST}/multi/outer:2`, outer.digest],
  ] as const) {
    expect(sandbox.ok(["pull", "--all-platforms", name])).toContain(`Digest: ${digest}`);
    sandbox.ok(["tag", name, `${HOST}/again/all:1`]);
    expect(sandbox.ok(["push", `${HOST}/again/all:1`])).toContain(`digest: ${digest}`);
    expect(raw(`docker://${HOST}/again/all:1`)).toBe(digest);
    expect(run(name)).toBe(NATIVE!);
    sandbox.ok(["save", "-o", path("n1.tar"), name]);
    expect(raw(`oci-archive:${path("n1.tar")}`)).toBe(digest);
    sandbox.ok(["rmi", name, `${HOST}/again/all:1`]);
    expect(blobs()).toEqual([]);
    sandbox.ok(["load", "-i", path("n1.tar")]);
    sandbox.ok(["save", "-o", path("n2.tar"), name]);
    expect(readFileSync(path("n2.tar")).equals(readFileSync(path("n1.tar")))).toBe(true);
    expect(run("--platform", PLATFORMS[0]!, name)).toBe(FOREIGN!);
    clean();
    sandbox.ok(["rmi", name]);
    expect([blobs(), layers()]).toEqual([[], []]);
  }
});

test("by its digest, without a tag", () => {
  const name = `${HOST}/multi/all@${D}`;
  sandbox.ok(["pull", "--all-platforms", name]);
  expect(run("--platform", PLATFORMS[0]!, name)).toBe(FOREIGN!);
  sandbox.ok(["tag", name, "kept:1"]);
  expect(tree("kept:1")).toEqual(["kept:1", ...PLATFORMS]);
  sandbox.ok(["rmi", name]);
  expect(tree("kept:1")).toEqual(["kept:1", ...PLATFORMS]);
  clean();
  sandbox.ok(["rmi", "kept:1"]);
  expect([blobs(), layers()]).toEqual([[], []]);
  clean();
});

test("system check finds what is missing, and mends it: the image of this machine stays", () => {
  sandbox.ok(["pull", "--all-platforms", LIST]);
  const [, layer] = whole.images[2]!.blobs.slice(1);
  sandbox.execute(["rm", join(sandbox.data, "content/blobs/sha256", layer!.digest.slice(7))]);
  expect(sandbox.bocker(["system", "check"]).stdout).toContain(`index ${D} lacks 1 of the `);
  expect(sandbox.bocker(["system", "check", "--repair"]).stdout).toContain("--all-platforms");
  clean();
  expect(tree(LIST)).toEqual([LIST, `linux/${NATIVE}`]);
  expect(run(LIST)).toBe(NATIVE!);
  sandbox.ok(["pull", "--all-platforms", LIST]);
  expect(tree(LIST)).toEqual([LIST, ...PLATFORMS]);
  clean();
});
