import { afterEach, beforeEach, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { close } from "../../os/files.ts";
import { lsetxattr } from "../../os/metadata.ts";
import { removeTree } from "../../os/remove-tree.ts";
import { LayerApplier } from "./apply.ts";
import { diffUpper, treeToTar } from "./diff.ts";
import { openHostDirectory } from "./layer-root.ts";
import type { TarEntry } from "./tar-entry.ts";
import { TarReader } from "./tar-reader.ts";

let directory: string;
let upper: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bocker-diff-"));
  upper = join(directory, "upper");
  mkdirSync(upper);
});

afterEach(() => {
  execFileSync("rm", ["-rf", directory]);
});

function archive(make: typeof diffUpper, path: string, options = {}): Buffer {
  const fd = openHostDirectory(path);
  const bytes = Buffer.concat([...make(fd, options)]);
  close(fd);
  return bytes;
}

function entries(bytes: Buffer): TarEntry[] {
  const found: TarEntry[] = [];
  const reader = new TarReader({
    entry: (entry) => found.push(entry),
    data: () => undefined,
    end: () => undefined,
  });
  reader.write(bytes);
  reader.finish();
  return found;
}

function applyTo(path: string, bytes: Buffer): void {
  mkdirSync(path);
  const fd = openHostDirectory(path);
  const applier = new LayerApplier(fd, { mode: "layer" });
  const reader = new TarReader(applier);
  reader.write(bytes);
  reader.finish();
  applier.finish();
  close(fd);
}

/** Everything that can be seen of a tree, by tools that share no code with this. */
function describe(path: string): string {
  const script = `import os, sys
seen = {}
for base, dirs, files in os.walk(sys.argv[1].encode()):
  dirs.sort()
  for n in sorted(dirs + files) + [b"."]:
    p = os.path.join(base, n); s = os.lstat(p)
    x = sorted((k, os.getxattr(p, k, follow_symlinks=False)) for k in os.listxattr(p, follow_symlinks=False))
    first = seen.setdefault(s.st_ino, os.path.relpath(p, sys.argv[1].encode()))
    link = os.readlink(p) if os.path.islink(p) else (open(p,"rb").read() if os.path.isfile(p) else b"")
    print(os.path.relpath(p, sys.argv[1].encode()), oct(s.st_mode), s.st_uid, s.st_gid, s.st_rdev, s.st_mtime_ns, x, first, hash(link), s.st_size if not os.path.isdir(p) else 0)`;
  return execFileSync("python3", ["-c", script, path], {
    env: { ...process.env, PYTHONHASHSEED: "0" },
  }).toString();
}

function populate(): void {
  mkdirSync(join(upper, "d/e"), { recursive: true });
  writeFileSync(join(upper, "d/file"), "content", { mode: 0o4755 });
  execFileSync("chown", ["1234:5678", join(upper, "d/file")]);
  execFileSync("chmod", ["4755", join(upper, "d/file")]);
  execFileSync("ln", [join(upper, "d/file"), join(upper, "z-hard")]);
  symlinkSync("/dangling", join(upper, "link"));
  execFileSync("mknod", [join(upper, "null"), "c", "1", "3"]);
  execFileSync("mkfifo", [join(upper, "pipe")]);
  lsetxattr(join(upper, "d/file"), "user.bin", Buffer.from([0, 10, 61, 255]));
  lsetxattr(join(upper, "d"), "user.dir", Buffer.from("x"));
  writeFileSync(Buffer.concat([Buffer.from(`${upper}/caf`), Buffer.from([0xe9])]), "latin");
  writeFileSync(join(upper, "n".repeat(200)), "long");
  writeFileSync(join(upper, "sparse"), "");
  truncateSync(join(upper, "sparse"), 300 << 20);
  execFileSync(
    "dd",
    ["if=/dev/urandom", `of=${join(upper, "sparse")}`, "bs=4096", "seek=1000", "count=1", "conv=notrunc"],
    { stdio: "ignore" },
  );
  execFileSync("mknod", [join(upper, "gone"), "c", "0", "0"]);
  lsetxattr(join(upper, "d/e"), "trusted.overlay.opaque", Buffer.from("y"));
  execFileSync("touch", ["-h", "-d", "1969-12-31 23:59:58.25 UTC", join(upper, "link"), join(upper, "d")]);
}

test("an upper directory survives the way through a layer", () => {
  populate();
  execFileSync("touch", ["-d", "2020-01-01 UTC", upper]);
  const bytes = archive(diffUpper, upper);
  const copy = join(directory, "copy");
  applyTo(copy, bytes);
  execFileSync("touch", ["-d", "2020-01-01 UTC", copy]);
  // The whiteout itself has no metadata that count.
  const withoutWhiteout = (text: string) => text.split("\n").filter((line) => !line.startsWith("b'gone'"));
  expect(withoutWhiteout(describe(copy))).toEqual(withoutWhiteout(describe(upper)));
  // The same tree again is the same bytes.
  expect(archive(diffUpper, upper).equals(bytes)).toBe(true);
  expect(archive(diffUpper, copy).equals(bytes)).toBe(true);
  expect(bytes.length).toBeLessThan(1 << 16);
});

test("entries have the names that Docker gives them", () => {
  populate();
  const names = entries(archive(diffUpper, upper)).map(
    (entry) => `${entry.type} ${entry.name.toString("latin1")}`,
  );
  expect(names).toEqual([
    "file café",
    "directory d/",
    "directory d/e/",
    "file d/e/.wh..wh..opq",
    "file d/file",
    "file .wh.gone",
    "symlink link",
    `file ${"n".repeat(200)}`,
    "character null",
    "fifo pipe",
    "file sparse",
    "hardlink z-hard",
  ]);
});

test("a whole tree begins with itself", () => {
  writeFileSync(join(upper, "a"), "1");
  const found = entries(archive(treeToTar, upper, { latestTime: 5 }));
  expect(found.map((entry) => entry.name.toString())).toEqual(["./", "a"]);
  expect(found[1]!.mtime).toEqual({ sec: 5, nsec: 0 });
});

test("a file with small holes is as whole as any: Docker cannot save what it unpacks of others", () => {
  writeFileSync(join(upper, "holes"), "start");
  truncateSync(join(upper, "holes"), 20 << 20);
  const bytes = archive(diffUpper, upper);
  expect(entries(bytes).map(({ extents, size }) => [extents, size])).toEqual([[undefined, 20 << 20]]);
  expect(bytes.length).toBeGreaterThan(20 << 20);
  // And has its holes again when it is unpacked.
  const copy = join(directory, "copy");
  applyTo(copy, bytes);
  execFileSync("cmp", [join(copy, "holes"), join(upper, "holes")]);
  expect(statSync(join(copy, "holes")).blocks * 512).toBeLessThan(1 << 20);
});

test("GNU tar reads a layer", () => {
  populate();
  const target = join(directory, "gnu");
  mkdirSync(target);
  execFileSync("tar", ["-C", target, "-xpf", "-", "--exclude=.wh.*"], { input: archive(diffUpper, upper) });
  execFileSync("cmp", [join(target, "sparse"), join(upper, "sparse")]);
  execFileSync("cmp", [join(target, "z-hard"), join(upper, "d/file")]);
});

test("sockets are left out", async () => {
  const server = createServer().listen(join(upper, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  expect(entries(archive(diffUpper, upper))).toEqual([]);
  server.close();
});

test("names of whiteouts and foreign overlay attributes are refused, not misread", () => {
  writeFileSync(join(upper, ".wh.x"), "");
  expect(() => archive(diffUpper, upper)).toThrow('cannot hold names that start with ".wh."');
  expect(entries(archive(treeToTar, upper)).length).toBe(2);
  expect(() => archive(treeToTar, upper, { refuseWhiteoutNames: true })).toThrow(".wh.");
  rmSync(join(upper, ".wh.x"));
  mkdirSync(join(upper, "moved"));
  lsetxattr(join(upper, "moved"), "trusted.overlay.redirect", Buffer.from("/elsewhere"));
  expect(() => archive(diffUpper, upper)).toThrow("redirect_dir");
});

test("ten thousand levels are walked and removed with few descriptors", () => {
  const script = `import os, sys
os.chdir(sys.argv[1])
for i in range(10000): os.mkdir("d"); os.chdir("d")`;
  execFileSync("python3", ["-c", script, upper]);
  expect(() => archive(diffUpper, upper)).toThrow("too long for an archive");
  const fd = openHostDirectory(directory);
  expect(removeTree(fd, "upper")).toBe(true);
  close(fd);
});
