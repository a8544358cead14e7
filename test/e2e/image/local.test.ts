/** Images made here: init, import, commit, images, inspect, rmi; held against umoci and the filesystem. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
let tree: string;

/** A directory with everything that a layer has to keep. */
const MAKE_TREE = `
set -e
cd "$1"
mkdir -p bin etc deep/er
cp /bin/busybox bin/busybox
for name in sh cat echo rm ls mkdir ln stat id; do ln -s busybox bin/$name; done
echo config > etc/config; chmod 640 etc/config; chown 12:34 etc/config
ln etc/config deep/er/linked
truncate -s 50M deep/sparse; printf tail >> deep/sparse
mknod etc/null c 1 3; mkfifo etc/fifo
chmod 4755 bin/busybox; chmod 1777 deep
touch -d '2001-02-03 04:05:06.123456789 UTC' etc/config
printf x > "$(printf 'etc/latin-\\344')"
printf y > 'etc/new
line'
setfattr -n user.note -v kept deep/er
setfattr -n security.capability -v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= bin/busybox || true
`;

/** Everything of every file, in a form that can be compared. */
const LIST = `
cd "$1"
find . -mindepth 1 -printf '%p|%y|%m|%U|%G|%n|%l|%T@\\n' | LC_ALL=C sort
find . -type f -printf '%s ' -exec sha256sum {} + | LC_ALL=C sort
find . \\( -type c -o -type b \\) -exec stat -c '%n %t %T' {} + | LC_ALL=C sort
getfattr -R -d -m - --absolute-names . 2>/dev/null
`;

const shell = (script: string, ...words: string[]) =>
  execFileSync("sh", ["-c", script, "sh", ...words], { encoding: "latin1", maxBuffer: 1 << 28 });

beforeAll(() => {
  sandbox = new Sandbox();
  tree = join(sandbox.directory, "tree");
  mkdirSync(tree);
  shell(MAKE_TREE, tree);
});
afterAll(() => sandbox.remove());

const inspect = (name: string) => JSON.parse(sandbox.ok(["inspect", name]))[0];
const storeFiles = () =>
  sandbox.execute([
    "sh",
    "-c",
    `cd ${sandbox.data} && find content overlay -mindepth 2 | grep -v '^overlay/l$' | sort`,
  ]).stdout;

/** What the layer looks like in the driver. */
const layerOf = (name: string): string => inspect(name).GraphDriver.Data.UpperDir;

/** The stored blobs as an OCI layout, unpacked by umoci. */
function unpackedByUmoci(name: string): string {
  const layout = join(sandbox.directory, `layout-${name.replace(":", "-")}`);
  mkdirSync(layout);
  shell('cp -r "$1/content/blobs" "$2/blobs"', sandbox.data, layout);
  const blobs = join(layout, "blobs/sha256");
  const config = inspect(name).Id.slice("sha256:".length);
  const manifests = shell('grep -lrF "$1" "$2"', `"digest":"sha256:${config}"`, blobs).trim().split("\n");
  const digest = manifests[0]!.split("/").at(-1)!;
  const size = readFileSync(join(blobs, digest)).length;
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(layout, "index.json"),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: "application/vnd.oci.image.manifest.v1+json",
          digest: `sha256:${digest}`,
          size,
          annotations: { "org.opencontainers.image.ref.name": "one" },
        },
      ],
    }),
  );
  const bundle = `${layout}-bundle`;
  execFileSync("umoci", ["unpack", "--image", `${layout}:one`, bundle], { stdio: "ignore" });
  execFileSync("skopeo", ["inspect", `oci:${layout}:one`], { stdio: "ignore" });
  return join(bundle, "rootfs");
}

test("init keeps every attribute, in the layer and in the blob", () => {
  expect(sandbox.ok(["init", tree, "kept:1"])).toMatch(/^sha256:[0-9a-f]{64}$/);
  const expected = shell(LIST, tree);
  expect(expected).toContain("./etc/latin-\xe4|f");
  expect(shell(LIST, layerOf("kept:1"))).toBe(expected);
  expect(shell(LIST, unpackedByUmoci("kept:1"))).toBe(expected);
  const blocks = Number(shell('du -k "$1" | cut -f1', join(layerOf("kept:1"), "deep/sparse")));
  expect(blocks).toBeLessThan(1024);
});

test("a tarball and standard input give the same files", () => {
  const archive = join(sandbox.directory, "tree.tar.gz");
  shell('tar --xattrs --xattrs-include="*" --format=pax -C "$1" -czf "$2" .', tree, archive);
  sandbox.ok(["init", archive, "tarball"]);
  const expected = shell(LIST, tree);
  expect(shell(LIST, layerOf("tarball"))).toBe(expected);
  const piped = spawnSync(
    "sh",
    [
      "-c",
      `exec ${sandbox
        .inside(["$0", "import", "-c", 'CMD ["sh"]', "-m", "note", "-", "piped:2"])
        .map((word) => (word === "$0" ? '"$0"' : `'${word}'`))
        .join(" ")} < "$1"`,
      join(import.meta.dirname, "../../../dist/bocker"),
      archive,
    ],
    { env: sandbox.environment, encoding: "utf8" },
  );
  expect(piped.stderr).toBe("");
  expect(shell(LIST, layerOf("piped:2"))).toBe(expected);
  expect(inspect("piped:2").Config.Cmd).toEqual(["sh"]);
  expect(inspect("piped:2").Comment).toBe("note");
  expect(sandbox.bocker(["run", "--rm", "--network", "none", "piped:2", "cat", "/etc/config"]).stdout).toBe(
    "config\n",
  );
});

test("a damaged archive leaves nothing", () => {
  const before = storeFiles();
  const archive = join(sandbox.directory, "bad.tar.gz");
  shell('head -c 300000 "$1/tree.tar.gz" > "$2"', sandbox.directory, archive);
  const { code, stderr } = sandbox.bocker(["import", archive, "bad"]);
  expect(code).toBe(1);
  expect(stderr).toStartWith("Error: ");
  expect(storeFiles()).toBe(before);
  expect(sandbox.bocker(["init", "/no/such", "x"]).stderr).toBe(
    "Error: open /no/such: no such file or directory\n",
  );
});

test("commit makes a layer of what a container changed", () => {
  const change =
    "rm /etc/config; rm -rf /deep; mkdir /deep; echo new > /deep/new; echo more >> /etc/added; ln /etc/added /etc/twice";
  sandbox.ok(["run", "--name", "changed", "--network", "none", "-e", "A=1", "kept:1", "sh", "-c", change]);
  const id = sandbox.ok([
    "commit",
    "-a",
    "me",
    "-m",
    "why",
    "-c",
    "ENV B=2",
    "-c",
    "LABEL k=v",
    "-c",
    'CMD ["cat","/deep/new"]',
    "changed",
    "kept:2",
  ]);
  const image = inspect("kept:2");
  expect(image.Id).toBe(id);
  expect([image.Author, image.Comment, image.RootFS.Layers.length]).toEqual(["me", "why", 2]);
  expect(image.Config.Env).toContain("A=1");
  expect(image.Config.Env).toContain("B=2");
  expect(image.Config.Labels).toEqual({ k: "v" });
  expect(sandbox.ok(["run", "--rm", "--network", "none", "kept:2"])).toBe("new");
  const root = unpackedByUmoci("kept:2");
  expect(shell('cd "$1"; ls deep; ls etc; stat -c %h etc/added', root).split("\n")).toEqual([
    "new",
    "added",
    "fifo",
    "latin-\xe4",
    "new",
    "line",
    "null",
    "twice",
    "2",
    "",
  ]);
});

test("rmi removes a name, then the image, then what nothing refers to", () => {
  expect(sandbox.bocker(["rmi", "kept:2", "nope"]).stderr).toContain("No such image: nope");
  const conflict = sandbox.bocker(["rmi", "kept:1"]);
  expect(conflict.code).toBe(1);
  expect(conflict.stderr).toMatch(
    /^Error: conflict: unable to remove repository reference "kept:1" \(must force\) - container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}\n$/,
  );
  sandbox.ok(["rm", "changed"]);
  const { Id, RootFS } = inspect("kept:1");
  expect(sandbox.ok(["rmi", "kept:1"]).split("\n")).toEqual([
    "Untagged: kept:1",
    `Deleted: ${Id}`,
    `Deleted: ${RootFS.Layers[0]}`,
  ]);
  sandbox.ok(["rmi", "tarball", "piped:2"]);
  expect(sandbox.ok(["images", "-q"])).toBe("host");
  expect(storeFiles()).toBe("content/blobs/sha256\n");
  expect(sandbox.bocker(["rmi", "host"]).code).toBe(1);
});

test("images lists host always, and knows formats and filters", () => {
  sandbox.ok(["import", "-c", "LABEL a=b", join(sandbox.directory, "tree.tar.gz"), "localhost:5000/x/y:t"]);
  const [head, row, host] = sandbox.ok(["images"]).split("\n");
  expect(head).toMatch(/^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$/);
  expect(row).toMatch(
    /^localhost:5000\/x\/y +t +[0-9a-f]{12} +.* ago +[\d.]+MB$|^localhost:5000\/x\/y +t +[0-9a-f]{12} +Less than a second ago +[\d.]+MB$/,
  );
  expect(host).toMatch(/^host +latest +host +N\/A +N\/A$/);
  expect(sandbox.ok(["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "label=a=b"])).toBe(
    "localhost:5000/x/y:t",
  );
  expect(sandbox.ok(["images", "-q", "--no-trunc", "localhost:5000/x/y"])).toBe(
    inspect("localhost:5000/x/y:t").Id,
  );
  expect(JSON.parse(sandbox.ok(["images", "--format", "json", "host"])).Repository).toBe("host");
  expect(sandbox.bocker(["images", "--filter", "nope=1"]).stderr).toBe("Error: invalid filter 'nope'\n");
});
