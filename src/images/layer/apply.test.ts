import { afterEach, beforeEach, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { close } from "../../os/files.ts";
import { fgetxattr, lgetxattr, lsetxattr, statat } from "../../os/metadata.ts";
import { type ApplyOptions, LayerApplier } from "./apply.ts";
import { openHostDirectory } from "./layer-root.ts";
import type { TarEntry } from "./tar-entry.ts";
import { TarReader } from "./tar-reader.ts";
import { END_OF_ARCHIVE, tarHeader, tarPadding } from "./tar-writer.ts";

let directory: string;
let root: string;
let rootFd: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bocker-apply-"));
  root = join(directory, "layer");
  mkdirSync(root);
  mkdirSync(join(directory, "outside"));
  writeFileSync(join(directory, "outside", "canary"), "alive");
  rootFd = openHostDirectory(root);
});

afterEach(() => {
  // Nothing beside the layer was made, changed or linked to.
  expect(
    readdirSync(directory)
      .filter((name) => name !== "lower")
      .sort(),
  ).toEqual(["layer", "outside"]);
  expect(readdirSync(join(directory, "outside"))).toEqual(["canary"]);
  expect(readFileSync(join(directory, "outside", "canary"), "utf8")).toBe("alive");
  expect(lstatSync(join(directory, "outside", "canary")).nlink).toBe(1);
  close(rootFd);
  rmSync(directory, { recursive: true });
});

type Partial = Omit<TarEntry, "name" | "linkName"> & { name: string | Buffer; linkName: string };

function entry(type: TarEntry["type"], name: string | Buffer, more: object = {}): Partial {
  const mode = type === "directory" ? 0o755 : 0o644;
  const mtime = { sec: 1000, nsec: 5 };
  return {
    type,
    name,
    linkName: "",
    mode,
    uid: 0,
    gid: 0,
    size: 0,
    mtime,
    major: 0,
    minor: 0,
    xattrs: new Map(),
    ...more,
  };
}

const dir = (name: string, more = {}) => ({ entry: entry("directory", name, more), content: "" });
const file = (name: string | Buffer, content = "", more = {}) => ({
  entry: entry("file", name, { size: content.length, ...more }),
  content,
});
const symlink = (name: string, linkName: string) => ({
  entry: entry("symlink", name, { linkName }),
  content: "",
});
const hardlink = (name: string, linkName: string, more = {}) => ({
  entry: entry("hardlink", name, { linkName, ...more }),
  content: "",
});

function apply(
  items: { entry: Partial; content: string }[],
  options: ApplyOptions = { mode: "layer" },
): void {
  const parts = items.map(({ entry: { name, linkName, ...rest }, content }) =>
    Buffer.concat([
      tarHeader({ ...rest, name: Buffer.from(name as string), linkName: Buffer.from(linkName) }),
      Buffer.from(content),
      tarPadding(content.length),
    ]),
  );
  const applier = new LayerApplier(rootFd, options);
  try {
    const reader = new TarReader(applier);
    reader.write(Buffer.concat([...parts, END_OF_ARCHIVE]));
    reader.finish();
    applier.finish();
  } finally {
    applier.close();
  }
}

const read = (path: string) => readFileSync(join(root, path), "utf8");
const isWhiteout = (path: string) => {
  const stat = statat(rootFd, path);
  return (stat.mode & 0o170000) === 0o020000 && stat.rdevMajor === 0 && stat.rdevMinor === 0;
};
const isOpaque = (path: string) => lgetxattr(join(root, path), "trusted.overlay.opaque")?.toString() === "y";
const openFds = () => readdirSync("/proc/self/fd").length;

test("all metadata of an entry arrive", () => {
  const before = openFds();
  const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
  apply([
    dir("d", { mode: 0o1777, mtime: { sec: 5, nsec: 6 } }),
    file("d/f", "hello", {
      mode: 0o4755,
      uid: 1000,
      gid: 2 ** 32 - 2,
      mtime: { sec: -3, nsec: 123456789 },
      xattrs: new Map([
        ["security.capability", capability],
        ["user.x", Buffer.from([0, 1, 10, 61])],
      ]),
    }),
    { entry: entry("character", "d/null", { major: 1, minor: 3, mode: 0o666 }), content: "" },
    { entry: entry("block", "d/sda", { major: 8, minor: 0, mode: 0o660 }), content: "" },
    { entry: entry("fifo", "d/pipe", { mode: 0o622 }), content: "" },
    symlink("d/s", "/nowhere"),
    hardlink("d/h", "d/f", {
      mode: 0o4755,
      uid: 1000,
      gid: 2 ** 32 - 2,
      mtime: { sec: -3, nsec: 123456789 },
    }),
  ]);
  const f = statat(rootFd, "d/f");
  expect([f.mode & 0o7777, f.uid, f.gid, f.nlink]).toEqual([0o4755, 1000, 2 ** 32 - 2, 2]);
  expect(f.mtime).toEqual({ sec: -3, nsec: 123456789 });
  expect(lgetxattr(join(root, "d/f"), "security.capability")?.equals(capability)).toBe(true);
  expect(lgetxattr(join(root, "d/f"), "user.x")).toEqual(Buffer.from([0, 1, 10, 61]));
  expect([statat(rootFd, "d").mode & 0o7777, statat(rootFd, "d").mtime]).toEqual([
    0o1777,
    { sec: 5, nsec: 6 },
  ]);
  const device = statat(rootFd, "d/null");
  expect([device.mode, device.rdevMajor, device.rdevMinor]).toEqual([0o020666, 1, 3]);
  expect(statat(rootFd, "d/sda").mode).toBe(0o060660);
  expect(statat(rootFd, "d/pipe").mode).toBe(0o010622);
  expect(statat(rootFd, "d/s").mtime.sec).toBe(1000);
  expect(openFds()).toBe(before);
});

test("names are raw bytes", () => {
  apply([file(Buffer.from([0x66, 0xff, 0xfe, 0x0a]), "x")]);
  expect(readdirSync(root, { encoding: "buffer" })).toEqual([Buffer.from([0x66, 0xff, 0xfe, 0x0a])]);
});

test("holes stay holes", () => {
  const size = 1 << 24;
  apply([file("s", "data", { size, extents: [{ offset: 1 << 20, length: 4 }] })]);
  const stat = statat(rootFd, "s");
  expect(stat.size).toBe(size);
  expect(stat.blocks * 512).toBeLessThan(1 << 17);
  expect(readFileSync(join(root, "s")).toString("utf8", 1 << 20, (1 << 20) + 4)).toBe("data");
});

test("whiteouts become overlayfs's", () => {
  apply([
    dir("d"),
    file("d/.wh.gone"),
    dir("o"),
    file("o/new", "x"),
    file("o/.wh..wh..opq"),
    file("implied/.wh.x"),
  ]);
  expect(isWhiteout("d/gone")).toBe(true);
  expect(isOpaque("o")).toBe(true);
  expect(read("o/new")).toBe("x");
  expect(isWhiteout("implied/x")).toBe(true);
});

test("a layer's own files survive its whiteouts, in both orders", () => {
  apply([
    file(".wh.a"),
    file("a", "1"),
    file("b", "2"),
    file(".wh.b"),
    file(".wh.c"),
    dir("c"),
    file("c/x", "3"),
    dir("e"),
    file("e/x", "4"),
    file(".wh.e"),
  ]);
  expect([read("a"), read("b"), read("c/x"), read("e/x")]).toEqual(["1", "2", "3", "4"]);
  expect([isOpaque("c"), isOpaque("e")]).toEqual([true, true]);
});

test("in a root filesystem whiteouts remove, but not what the same layer brought", () => {
  for (const name of ["gone", "dir/old", "dir/sub/old", "kept"]) {
    execFileSync("mkdir", ["-p", join(root, name, "..")]);
    writeFileSync(join(root, name), "old");
  }
  apply(
    [
      file(".wh.gone"),
      file("dir/sub/new", "new"),
      file("dir/.wh..wh..opq"),
      file("kept", "new"),
      file(".wh.kept"),
      file(".wh.never"),
      file("missing/.wh.x"),
    ],
    { mode: "rootfs" },
  );
  expect(readdirSync(root).sort()).toEqual(["dir", "kept"]);
  expect(readdirSync(join(root, "dir"))).toEqual(["sub"]);
  expect(readdirSync(join(root, "dir/sub"))).toEqual(["new"]);
  expect(read("kept")).toBe("new");
});

test("metadata of aufs are ignored", () => {
  apply([file(".wh..wh.aufs"), dir(".wh..wh.plnk"), file(".wh..wh.plnk/1.2", "x"), file("a")]);
  expect(readdirSync(root)).toEqual(["a"]);
});

test("overlayfs's own attributes do not come from an image", () => {
  const names = ["trusted.overlay.opaque", "trusted.overlay.redirect", "user.overlay.opaque"];
  apply([dir("d", { xattrs: new Map(names.map((name) => [name, Buffer.from("y")])) })]);
  for (const name of names) expect(lgetxattr(join(root, "d"), name)).toBeUndefined();
});

test("the last entry of a name wins", () => {
  apply([
    file("x", "file"),
    dir("x"),
    file("x/inside", "1"),
    symlink("x", "y"),
    file("x", "again"),
    dir("d", { mode: 0o700 }),
    file("d/kept", "k"),
    dir("d", { mode: 0o711 }),
  ]);
  expect(read("x")).toBe("again");
  expect(read("d/kept")).toBe("k");
  expect(statat(rootFd, "d").mode & 0o777).toBe(0o711);
});

test("a parent that becomes something else is looked up again", () => {
  apply([
    dir("a"),
    file("a/1", "1"),
    symlink("a", "b"),
    dir("b"),
    file("a/2", "2"),
    dir("a"),
    file("a/3", "3"),
  ]);
  expect(readdirSync(join(root, "b"))).toEqual(["2"]);
  expect(readdirSync(join(root, "a"))).toEqual(["3"]);
});

// Names of containerd's TestBreakouts: all stay inside.
const OUTSIDE = () => join(directory, "outside");

test("absolute and climbing symlinks lead to places inside the layer", () => {
  apply([
    dir("etc"),
    symlink("localetc", "/etc"),
    file("localetc/unbroken", "1"),
    dir("dummy"),
    symlink("upandout", "/dummy/../../../../etc"),
    file("/upandout/two", "2"),
    symlink("rel", "../../../../../../etc"),
    file("rel/three", "3"),
    symlink("self", "."),
    file("self/self/self/etc/four", "4"),
  ]);
  expect(readdirSync(join(root, "etc")).sort()).toEqual(["four", "three", "two", "unbroken"]);
});

test("a symlink to the outside is never written through", () => {
  const canary = join(OUTSIDE(), "canary");
  // Through the link's last component: replaced. Through a parent: confined, so missing.
  apply([symlink("link", canary), file("link", "evil")]);
  expect(read("link")).toBe("evil");
  expect(lstatSync(join(root, "link")).isFile()).toBe(true);
  expect(() => apply([symlink("out", OUTSIDE()), file("out/canary", "evil")])).toThrow();
  expect(() => apply([symlink("out2", "../outside"), file("out2/canary", "evil")])).toThrow();
});

test("metadata are never set through a symlink", () => {
  const canary = join(OUTSIDE(), "canary");
  const before = lstatSync(canary);
  apply([symlink("s", canary), hardlink("h", "s", { mode: 0o777, uid: 7 })]);
  const after = lstatSync(canary);
  expect([after.mode, after.uid, after.mtimeMs]).toEqual([before.mode, before.uid, before.mtimeMs]);
  expect(readlinkSync(join(root, "h"))).toBe(canary);
});

test.each([["../evil"], ["a/../../evil"], ["./../evil"], [".."], ["a/../.."]])(
  "the name %s is refused",
  (name) => {
    expect(() => apply([file(name, "x")])).toThrow("leads out of the archive");
    expect(readdirSync(root)).toEqual([]);
  },
);

test("an absolute name is inside the layer", () => {
  apply([file("/a/b", "1"), file("/../c", "2"), file("dne/../d", "3")]);
  expect([read("a/b"), read("c"), read("d")]).toEqual(["1", "2", "3"]);
});

test.each([
  ["../outside/canary", "leads out of the archive"],
  ["/outside/canary", "does not exist"],
  ["missing", "does not exist"],
  ["h", "does not exist"],
  ["d", "is a directory"],
  ["/", "is the root"],
  ["out/canary", "does not exist"],
])("a hard link to %s is refused", (target, message) => {
  const items = [dir("d"), symlink("out", OUTSIDE()), hardlink("h", target)];
  expect(() => apply(items)).toThrow(message);
});

test.each([
  [[{ entry: entry("symlink", "./", { linkName: "/tmp/x" }), content: "" }], "root of a layer"],
  [[file("", "x")], "root of a layer"],
  [[file(".wh.")], "hides nothing"],
  [[file("etc/.wh..")], "hides nothing"],
  [[file(".wh...")], "hides nothing"],
  [[file(".wh.etc/file")], "below a whiteout"],
  [[file("f"), file("f/below")], "not a directory"],
  [[symlink("dead", "nowhere"), file("dead/x")], "file exists"],
  [[symlink("a", "b"), symlink("b", "a"), file("a/x")], "too many levels"],
  [[file("n".repeat(256))], "file name too long"],
  [[symlink("s", "")], "no such file"],
  [[{ entry: entry("character", "c"), content: "" }], "character device 0:0"],
])("entries %# are refused as corrupt", (items, message) => {
  const before = openFds();
  try {
    apply(items as Parameters<typeof apply>[0]);
    throw new Error("accepted");
  } catch (error) {
    expect((error as Error).message).toContain(message);
    expect((error as { code?: string }).code).toBe("corrupt");
  }
  expect(openFds()).toBe(before);
});

test("what lies outside is not removed through a link either", () => {
  symlinkSync(OUTSIDE(), join(root, "link"));
  apply([file(".wh.link")], { mode: "rootfs" });
  expect(existsSync(join(root, "link"))).toBe(false);
  symlinkSync(OUTSIDE(), join(root, "link"));
  apply([file("link/.wh.canary"), file("link/.wh..wh..opq")], { mode: "rootfs" });
  apply([dir("link")], { mode: "rootfs" });
  expect(lstatSync(join(root, "link")).isDirectory()).toBe(true);
});

test("a hard link to a lower layer's file brings the file along", () => {
  const lower = join(directory, "lower");
  mkdirSync(join(lower, "usr/bin"), { recursive: true, mode: 0o750 });
  writeFileSync(join(lower, "usr/bin/tool"), "tool", { mode: 0o755 });
  lsetxattr(join(lower, "usr/bin/tool"), "user.k", Buffer.from("v"));
  writeFileSync(join(lower, "hidden"), "");
  const lowerFd = openHostDirectory(lower);
  const options: ApplyOptions = { mode: "layer", lowers: [lowerFd] };
  apply([hardlink("usr/bin/alias", "/usr/bin/tool", { mode: 0o755 })], options);
  expect(statat(rootFd, "usr/bin/alias").identity).toBe(statat(rootFd, "usr/bin/tool").identity);
  expect(read("usr/bin/alias")).toBe("tool");
  expect(lgetxattr(join(root, "usr/bin/tool"), "user.k")?.toString()).toBe("v");
  expect(statat(rootFd, "usr/bin").mode & 0o777).toBe(0o750);
  expect(lstatSync(join(lower, "usr/bin/tool")).nlink).toBe(1);
  // Hidden by a layer between, or by this one.
  const middle = join(directory, "lower", "middle");
  mkdirSync(middle);
  execFileSync("mknod", [join(middle, "hidden"), "c", "0", "0"]);
  const middleFd = openHostDirectory(middle);
  expect(() => apply([hardlink("x", "hidden")], { mode: "layer", lowers: [middleFd, lowerFd] })).toThrow(
    "does not exist",
  );
  expect(() => apply([file(".wh.hidden"), hardlink("y", "hidden")], options)).toThrow(
    "removed by the same layer",
  );
  close(lowerFd);
  close(middleFd);
});

test("the root's own entry describes the root", () => {
  apply([dir("./", { mode: 0o711, mtime: { sec: 9, nsec: 0 } }), file("a")]);
  expect(statat(rootFd, ".").mode & 0o777).toBe(0o711);
  expect(statat(rootFd, ".").mtime.sec).toBe(9);
  expect(fgetxattr(rootFd, "trusted.overlay.opaque")).toBeUndefined();
});

test("a directory may become a symlink to itself", () => {
  apply([dir("d"), file("d/f", "x"), symlink("d", "d")]);
  expect(readlinkSync(join(root, "d"))).toBe("d");
});
