/** One image whatever the driver: the same layers are made of the same files, and what another has saved is kept bit for bit. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxSandbox } from "../e2e/busybox.ts";
import { fillRichTree, LIST, shell } from "../e2e/image/rich-tree.ts";
import { Sandbox } from "../e2e/sandbox.ts";
import { type FilesystemName, LoopFilesystem } from "./filesystem.ts";

const CASES: [driver: string, filesystem: FilesystemName][] = [
  ["overlay", "ext4"],
  ["vfs", "ext4"],
  ["vfs", "xfs"],
  ["btrfs", "btrfs"],
];

/**
 * Everything that a layer can say of one below, at times that are the same each time. Two things are left out,
 * which are not the same with overlay as with the others: one of several names of a file is not changed (overlay makes two files
 * of it), and no directory is replaced by another (overlay says that it is opaque, the others say what is no longer in it).
 */
const CHANGES = `set -e
rm -r /gone/a; echo new >/gone/new; rm /etc/fifo; echo more >>/deep/sparse; mkdir -p /a/b
echo linked >/a/one; ln /a/one /a/b/two; ln -s ../nowhere /a/link; mknod /a/b/block b 7 1; chown 65534:100000 /a/b
chmod 2770 /a/b; rm /etc/null; chmod 600 /bin/busybox
touch -h -d '2001-02-03 04:05:06' /a/b/two /a/b/block /a/b /a/one /a/link /a /gone/new /gone /deep/sparse /etc /`;

let tree: string;
let archive: string;
let made: { layers: string[]; files: string } | undefined;

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), "bocker-test-"));
  archive = join(tree, "first.tar");
  mkdirSync(join(tree, "root"));
  fillRichTree(join(tree, "root"));
  shell('mkdir -p "$1/gone/a"; echo b >"$1/gone/a/b"', join(tree, "root"));
});
afterAll(() => rmSync(tree, { recursive: true }));

describe.each(CASES)("%s on %s", (driver, filesystem) => {
  let mounted: LoopFilesystem;
  let sandbox: Sandbox;
  beforeAll(() => {
    mounted = new LoopFilesystem(filesystem);
    sandbox = busyboxSandbox(new Sandbox(mounted.path, { BOCKER_STORAGE_DRIVER: driver }));
  });
  afterAll(() => {
    sandbox.remove();
    mounted.remove();
  });

  const layersOf = (name: string): string[] =>
    JSON.parse(sandbox.ok(["image", "inspect", "-f", "{{json .RootFS.Layers}}", name]));
  /** Every file of an image, as it is in a container. */
  function filesOf(name: string): string {
    const root = join(sandbox.directory, "root");
    mkdirSync(root);
    sandbox.ok(["create", "--name", "shown", name]);
    sandbox.ok(["export", "-o", `${root}.tar`, "shown"]);
    sandbox.ok(["rm", "shown"]);
    shell('tar --xattrs --xattrs-include="*" -C "$1" -xpf "$1.tar"', root);
    const files = shell(LIST, root);
    shell('rm -r "$1" "$1.tar"', root);
    return files;
  }

  test("the same files are the same layers", () => {
    sandbox.ok(["init", join(tree, "root"), "made:1"]);
    sandbox.ok([
      "run",
      "--name",
      "writer",
      "--network",
      "none",
      "made:1",
      "/bin/busybox",
      "sh",
      "-c",
      CHANGES,
    ]);
    sandbox.ok(["commit", "writer", "made:2"]);
    sandbox.ok(["rm", "writer"]);
    const now = { layers: layersOf("made:2"), files: filesOf("made:2") };
    if (made === undefined) sandbox.ok(["save", "-o", archive, "made:2"]);
    made ??= now;
    expect(now).toEqual(made);
    expect(now.layers).toHaveLength(2);
  });

  test("what was saved elsewhere is the same image, and is saved again as it came", () => {
    sandbox.ok(["rmi", "made:2", "made:1"]);
    sandbox.ok(["load", "-i", archive]);
    expect({ layers: layersOf("made:2"), files: filesOf("made:2") }).toEqual(made!);
    const again = join(sandbox.directory, "again.tar");
    sandbox.ok(["save", "-o", again, "made:2"]);
    expect(readFileSync(again).equals(readFileSync(archive))).toBe(true);
    sandbox.ok(["rmi", "made:2"]);
    expect(sandbox.ok(["system", "check"])).toBe("Nothing found.");
  });
});
