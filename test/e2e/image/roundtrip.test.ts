/**
 * Images leave bocker and come back through other tools: what the tool keeps (by its design: all bytes, or the
 * configuration and the archives of the layers) is the same, and the tool has the same files meanwhile. docker-registry
 * is in exchange.test.ts.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import { OVERLAY, Sandbox } from "../sandbox.ts";
import { Dockerd, podmanIn, skopeo, umoci } from "./peers.ts";
import { fillRichTree, LIST, listMerged, shell } from "./rich-tree.ts";

const NAME = "rich:2";
/** Everything that a layer can say of one below. (Docker and podman know no time before 1970.) */
const CHANGES = `set -e
rm -r /gone; mkdir /gone; echo new >/gone/new; rm /etc/fifo; echo more >>/deep/sparse; mkdir -p /a/b
echo linked >/a/one; ln /a/one /a/b/two; ln -s ../nowhere /a/link; mknod /a/b/block b 7 1; chown 65534:100000 /a/b
chmod 2770 /a/b; touch -d '1970-01-01 00:00:01' /a/one; rm /etc/null; mkdir /etc/null`;

const isMissing = (program: string) => Bun.which(program) === null;
const missing = ["skopeo", "umoci", "podman", "dockerd", "docker"].filter(isMissing);
if (missing.length > 0) console.warn(`SKIPPED: round trips through ${missing.join(", ")}, which are missing`);

let sandbox: Sandbox;
let origin: ReturnType<typeof present>;
const path = (name: string) => join(sandbox.directory, name);
const inspect = () => JSON.parse(sandbox.ok(["image", "inspect", NAME]))[0];

/** The directories of the image's layers, the topmost first. */
function layers(): string[] {
  const { UpperDir, LowerDir } = inspect().GraphDriver.Data;
  return [UpperDir, ...LowerDir.split(":")];
}

/** What the image is in bocker. */
function present() {
  const { Id, RootFS, Config } = inspect();
  return { Id, RootFS, Config, layers: layers().map((at) => shell(LIST, at)), files: listMerged(layers()) };
}

beforeAll(() => {
  sandbox = busyboxSandbox(new Sandbox(undefined, OVERLAY));
  mkdirSync(path("tree"));
  fillRichTree(path("tree"));
  shell('mkdir -p "$1/gone/a"; echo b >"$1/gone/a/b"', path("tree"));
  sandbox.ok(["init", path("tree"), "rich:1"]);
  sandbox.ok(["run", "--name", "writer", "--network", "none", "rich:1", "/bin/busybox", "sh", "-c", CHANGES]);
  sandbox.ok(["commit", "-c", "LABEL a=b", "writer", NAME]);
  origin = present();
  sandbox.ok(["save", "-o", path("origin.tar"), NAME]);
  sandbox.ok(["rm", "writer"]);
  sandbox.ok(["rmi", NAME, "rich:1"]);
  shell('mkdir "$2"; tar -C "$2" -xf "$1"', path("origin.tar"), path("origin"));
});
afterAll(() => sandbox?.remove());
afterEach(() => {
  sandbox.bocker(["rmi", NAME]);
  expect(sandbox.ok(["system", "check"])).toBe("Nothing found.");
});

/** Loads `archive`, in which the image has a tag or none: what the image is then. */
function returned(archive: string) {
  const said = sandbox.ok(["load", "-q", "-i", archive]);
  const id = /^Loaded image ID: (\S+)$/m.exec(said)?.[1] ?? /^Loaded image: (\S+)$/m.exec(said)?.[1];
  if (id !== NAME) sandbox.ok(["tag", id!, NAME]);
  const image = present();
  if (id !== NAME && !id!.startsWith("sha256:")) sandbox.ok(["rmi", id!]);
  return image;
}

/** Saved again it is the archive that left: the manifest, the configuration and the packed layers are the same bytes. */
function isByteForByte(): void {
  sandbox.ok(["save", "-o", path("again.tar"), NAME]);
  expect(readFileSync(path("again.tar")).equals(readFileSync(path("origin.tar")))).toBe(true);
}

describe.skipIf(isMissing("skopeo"))("skopeo", () => {
  const from = () => `oci:${path("origin")}`;
  const copy = (source: string, target: string) => skopeo(sandbox, "copy", "-q", source, target);

  test.each(["oci", "dir", "oci-archive"])("%s: all bytes are the same", (kind) => {
    const between = `${kind}:${path(`between-${kind}`)}`;
    copy(from(), between);
    copy(between, `oci-archive:${path(`back-${kind}.tar`)}:rich:2`);
    expect(returned(path(`back-${kind}.tar`))).toEqual(origin);
    isByteForByte();
  });

  test("docker-archive: it unpacks the layers; their archives, the files and the configuration are the same", () => {
    copy(from(), `docker-archive:${path("docker.tar")}:${NAME}`);
    expect(returned(path("docker.tar"))).toEqual(origin);
  });
});

describe.skipIf(isMissing("umoci"))("umoci", () => {
  test("unpack: the same files", () => {
    umoci(sandbox, "unpack", "--image", `${path("origin")}:2`, path("bundle"));
    expect(shell(LIST, path("bundle/rootfs"))).toBe(origin.files);
    umoci(sandbox, "raw", "unpack", "--image", `${path("origin")}:2`, path("raw"));
    expect(shell(LIST, path("raw"))).toBe(origin.files);
    returned(path("origin.tar"));
  });

  test("repack: a layer upon layers that are the same bytes", () => {
    const layout = path("repacked");
    shell('cp -r "$1" "$2"', path("origin"), layout);
    umoci(sandbox, "unpack", "--image", `${layout}:2`, path("changed"));
    shell('cd "$1/rootfs"; rm -r a; ln deep/er/linked deep/third; echo umoci >new', path("changed"));
    umoci(sandbox, "repack", "--image", `${layout}:3`, path("changed"));
    shell('tar -C "$1" -cf "$2" .', layout, path("repacked.tar"));
    skopeo(sandbox, "copy", "-q", `oci:${layout}:3`, `oci-archive:${path("three.tar")}:${NAME}`);
    const image = returned(path("three.tar"));
    expect(image.RootFS.Layers.slice(0, 2)).toEqual(origin.RootFS.Layers);
    expect(image.RootFS.Layers).toHaveLength(3);
    expect(image.layers.slice(1)).toEqual(origin.layers);
    // What umoci writes has whole seconds.
    const seconds = (list: string) => list.replace(/(?<=\|\d+)\.\d+$/gm, "");
    const isRounded = (line: string) =>
      /^\.\/(new|deep|deep\/third|deep\/er\/linked|etc\/config)\|/.test(line);
    const compared = (list: string) =>
      seconds(list)
        .split("\n")
        .filter((line) => !isRounded(line));
    expect(compared(image.files)).toEqual(compared(shell(LIST, path("changed/rootfs"))));
  });
});

describe.skipIf(isMissing("podman"))("podman", () => {
  test("load and save: the same files there; configuration and archives come back the same", () => {
    const podman = podmanIn(sandbox);
    podman("load", "-q", "-i", path("origin.tar"));
    expect(podman("image", "inspect", "-f", "{{.Id}}", NAME)).toBe(origin.Id.slice("sha256:".length));
    expect(shell(LIST, podman("image", "mount", NAME))).toBe(origin.files);
    podman("image", "umount", NAME);
    for (const format of ["oci-archive", "docker-archive"]) {
      podman("save", "-q", "--format", format, "-o", path(`${format}.podman`), NAME);
      expect(returned(path(`${format}.podman`))).toEqual(origin);
      sandbox.ok(["rmi", NAME]);
    }
  });
});

describe.skipIf(isMissing("dockerd") || isMissing("docker"))("docker", () => {
  test("load and save: the same layers there; configuration and archives come back the same", async () => {
    const daemon = await Dockerd.start(sandbox);
    try {
      daemon.docker("load", "-q", "-i", path("origin.tar"));
      const [{ Id, RootFS, GraphDriver }] = JSON.parse(daemon.docker("image", "inspect", NAME));
      expect([Id, RootFS.Layers]).toEqual([origin.Id, origin.RootFS.Layers]);
      const { UpperDir, LowerDir } = GraphDriver.Data;
      expect([UpperDir, ...LowerDir.split(":")].map((at) => shell(LIST, at))).toEqual(origin.layers);
      daemon.docker("save", "-o", path("daemon.tar"), NAME);
    } finally {
      await daemon.stop();
    }
    expect(sandbox.processes()).toEqual([]);
    expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(sandbox.directory);
    expect(returned(path("daemon.tar"))).toEqual(origin);
  });
});
