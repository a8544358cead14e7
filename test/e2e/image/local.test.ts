/** Images made here: init, import, commit, images, inspect, rmi; held against umoci and the filesystem. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../sandbox.ts";
import { until } from "../wait.ts";
import { fillRichTree, LIST, shell } from "./rich-tree.ts";

let sandbox: Sandbox;
let tree: string;

beforeAll(() => {
  sandbox = new Sandbox();
  tree = join(sandbox.directory, "tree");
  mkdirSync(tree);
  fillRichTree(tree);
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

/** The stored blobs as an OCI layout, unpacked by umoci. The image gets them when it leaves. */
function unpackedByUmoci(name: string): string {
  sandbox.ok(["save", "-o", join(sandbox.directory, "discarded.tar"), name]);
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

describe("a layer that was made here is on the disk once until it leaves", () => {
  const packed = () => sandbox.ok(["system", "df", "--format", "{{.Size}}"]).split("\n").at(-1)!;
  const blobs = () => Number(shell('ls "$1/content/blobs/sha256" | wc -l', sandbox.data));
  const checked = () => sandbox.bocker(["system", "check"]).stdout;
  const diffIds = (name: string) => inspect(name).RootFS.Layers;

  test("then it is packed, bit for bit what it was, and the image stays the same", () => {
    const root = join(sandbox.directory, "once");
    shell(
      'mkdir "$1"; head -c 3000000 /dev/urandom >"$1/large"; ln "$1/large" "$1/second"; truncate -s 1G "$1/sparse"',
      root,
    );
    const before = blobs();
    const id = sandbox.ok(["init", root, "once"]);
    // Its configuration and its manifest.
    expect(blobs()).toBe(before + 2);
    const small = packed();
    const tar = join(sandbox.directory, "once.tar");
    sandbox.ok(["save", "-o", tar, "once"]);
    expect(blobs()).toBe(before + 3);
    expect(packed()).not.toBe(small);
    expect(inspect("once").Id).toBe(id);
    const again = join(sandbox.directory, "again.tar");
    sandbox.ok(["save", "-o", again, "once"]);
    shell('cmp "$1" "$2"', tar, again);
    const [layers] = JSON.parse(shell('tar -xOf "$1" manifest.json', tar)).map(
      ({ Layers }: { Layers: string[] }) => Layers,
    );
    expect(shell('tar -xOf "$1" "$2" | gunzip | sha256sum | cut -c1-64', tar, layers[0]).trim()).toBe(
      diffIds("once")[0].slice(7),
    );
    expect(checked()).toBe("Nothing found.\n");
    sandbox.ok(["rmi", "once"]);
    expect(blobs()).toBe(before);
  });

  test("an image upon it, and one of the same layer, are packed with it", () => {
    const root = join(sandbox.directory, "parts");
    shell('mkdir "$1"; echo a >"$1/a"', root);
    sandbox.ok(["init", root, "below"]);
    sandbox.ok(["create", "--name", "box", "below", "true"]);
    sandbox.ok(["commit", "box", "above"]);
    sandbox.ok(["commit", "-c", "ENV X=y", "box", "other"]);
    const before = blobs();
    sandbox.ok(["save", "-o", join(sandbox.directory, "discarded.tar"), "above"]);
    sandbox.ok(["save", "-o", join(sandbox.directory, "discarded.tar"), "below", "other", "above"]);
    // Two layers, whoever has them.
    expect(blobs()).toBe(before + 2);
    sandbox.ok(["rm", "box"]);
    sandbox.ok(["rmi", "above", "below", "other"]);
    expect(checked()).toBe("Nothing found.\n");
  });

  test("an archive that has a name twice, or two ways to a file, becomes one of what is there", () => {
    const tar = join(sandbox.directory, "twice.tar");
    shell(
      `cd "$(mktemp -d)"; mkdir d; echo 1 >d/f; echo x >g; ln -s d l; tar -cf "$1" d g l; echo 22 >d/f; rm g; mkdir g; echo y >g/h; tar -rf "$1" d g
      mkdir -p e/l; rm l; mkdir l; echo 333 >l/f; tar -rf "$1" --no-recursion l/f; rm -r "$PWD"`,
      tar,
    );
    sandbox.ok(["import", tar, "twice"]);
    expect(shell('cat "$1/d/f" "$1/g/h"', layerOf("twice"))).toBe("333\ny\n");
    sandbox.ok(["save", "-o", join(sandbox.directory, "twice-saved.tar"), "twice"]);
    sandbox.ok(["rmi", "twice"]);
    sandbox.ok(["load", "-q", "-i", join(sandbox.directory, "twice-saved.tar")]);
    expect(shell('cat "$1/d/f" "$1/g/h"', layerOf("twice"))).toBe("333\ny\n");
    expect(checked()).toBe("Nothing found.\n");
    sandbox.ok(["rmi", "twice"]);
  });

  test("contents of whiteouts and of names of aufs, which no file has, leave with it", () => {
    const tar = join(sandbox.directory, "aufs.tar");
    shell(
      `cd "$(mktemp -d)"; mkdir d; for name in d/.wh..wh..opq d/.wh..wh.plnk .wh.gone file; do echo "$name" >"$name"; done
      tar -cf "$1" d .wh.gone file; rm -r "$PWD"`,
      tar,
    );
    sandbox.ok(["import", tar, "aufs"]);
    const id = inspect("aufs").Id;
    expect(checked()).toBe("Nothing found.\n");
    sandbox.ok(["save", "-o", join(sandbox.directory, "aufs-saved.tar"), "aufs"]);
    sandbox.ok(["rmi", "aufs"]);
    sandbox.ok(["load", "-q", "-i", join(sandbox.directory, "aufs-saved.tar")]);
    expect(inspect("aufs").Id).toBe(id);
    sandbox.ok(["rmi", "aufs"]);
  });

  test("files that were changed are found, and the image does not leave as something else", () => {
    const root = join(sandbox.directory, "changing");
    shell('mkdir "$1"; echo a >"$1/a"', root);
    sandbox.ok(["init", root, "changed-files"]);
    shell('echo b >"$1/a"', layerOf("changed-files"));
    const found = sandbox.bocker(["system", "check"]);
    expect([found.code, found.stdout]).toEqual([
      1,
      expect.stringContaining("files that were changed after it was made"),
    ]);
    const saved = sandbox.bocker(["save", "-o", join(sandbox.directory, "discarded.tar"), "changed-files"]);
    expect([saved.code, saved.stderr]).toEqual([
      1,
      expect.stringContaining("have been changed since it was made"),
    ]);
    sandbox.ok(["rmi", "changed-files"]);
    expect(checked()).toBe("Nothing found.\n");
  });
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
  sandbox.ok(["import", join(sandbox.directory, "tree.tar.gz"), "newer:1"]);
  const found = (...filters: string[]) => {
    const words = filters.flatMap((filter) => ["--filter", filter]);
    return sandbox
      .ok(["images", "--format", "{{.Repository}}", ...words])
      .split("\n")
      .filter(Boolean);
  };
  expect(found("before=newer:1")).toEqual(["localhost:5000/x/y"]);
  expect(found("since=localhost:5000/x/y:t")).toEqual(["newer"]);
  expect(found("since=localhost:5000/x/y:t", "before=newer:1")).toEqual([]);
  expect(found("until=1h")).toEqual([]);
  expect(found("until=2100-01-01", "label=a")).toEqual(["localhost:5000/x/y"]);
  expect(sandbox.bocker(["images", "-f", "since=none:1"]).stderr).toBe("Error: No such image: none:1\n");
  expect(sandbox.bocker(["images", "-f", "before=host"]).stderr).toBe("Error: No such image: host\n");
  sandbox.ok(["rmi", "newer:1"]);
  for (const words of [["images"], ["image", "prune", "-f"], ["volume", "ls"]])
    expect(sandbox.bocker([...words, "--filter", "dangling=maybe"]).stderr).toBe(
      "Error: invalid filter 'dangling=[maybe]'\n",
    );
  expect(sandbox.bocker(["images", "--filter", "nope=1"]).stderr).toBe("Error: invalid filter 'nope'\n");
});

test.each(["load", "load -i PIPE", "import - never", "import PIPE never"])(
  "%s: input that stays open and gives nothing more is not waited for at Ctrl-C",
  async (command) => {
    const directory = mkdtempSync(join(sandbox.directory, "half-"));
    writeFileSync(join(directory, "half"), "x".repeat(10_000));
    const archive = execFileSync("tar", ["-C", directory, "-c", "half"]);
    const pipe = join(directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    // The store's own directories are there.
    sandbox.bocker(["load", "-i", "/dev/null"]);
    const before = storeFiles();
    const fd = openSync(pipe, "r+");
    try {
      writeSync(fd, archive.subarray(0, 5000));
      const words = command.replace("PIPE", pipe).split(" ");
      const [program, ...rest] = sandbox.inside([sandbox.binary, ...words]);
      const child = spawn(program, rest, { env: sandbox.environment, stdio: [fd, "ignore", "pipe"] });
      const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
      let said = "";
      child.stderr?.on("data", (bytes: Buffer) => {
        said += bytes.toString();
      });
      // Its directory, or the first file that it takes in.
      await until(() => storeFiles() !== before || child.exitCode !== null);
      child.kill("SIGINT");
      expect([await ended, said]).toEqual([130, "Error: interrupted\n"]);
    } finally {
      closeSync(fd);
    }
    expect(storeFiles()).toBe(before);
  },
);
