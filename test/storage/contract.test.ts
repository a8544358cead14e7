/** What src/storage/driver.ts promises, asked of every driver on the filesystems that it is for. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AT_FDCWD, LOCK_EX, O_DIRECTORY, O_RDONLY } from "../../src/os/constants.ts";
import { close, flock, openat } from "../../src/os/files.ts";
import { BtrfsDriver } from "../../src/storage/btrfs/driver.ts";
import type { StorageDriver } from "../../src/storage/driver.ts";
import { OverlayDriver } from "../../src/storage/overlay/driver.ts";
import { VfsDriver } from "../../src/storage/vfs/driver.ts";
import { Sandbox } from "../e2e/sandbox.ts";
import { archive, dir, entry, file, pax, symlink } from "../security/tar-bytes.ts";
import { type FilesystemName, LoopFilesystem } from "./filesystem.ts";
import { imageArchive } from "./image-archive.ts";

type Make = new (root: string, trash: string) => StorageDriver;

const CASES: [driver: string, filesystem: FilesystemName, make: Make][] = [
  ["overlay", "ext4", OverlayDriver],
  ["overlay", "btrfs", OverlayDriver],
  ["vfs", "ext4", VfsDriver],
  ["vfs", "xfs", VfsDriver],
  ["btrfs", "btrfs", BtrfsDriver],
];

const BUSYBOX = readFileSync("/bin/busybox").toString("latin1");
const APPLETS =
  "sh ls cat rm mkdir mv touch ln echo dd mknod stat find chmod chown mkfifo rmdir sleep truncate";
const DEVICE = { type: "3", major: 1, minor: 3, mode: 0o666 };

const ROOT = archive(
  dir("bin/"),
  entry("bin/busybox", Buffer.from(BUSYBOX, "latin1"), { mode: 0o755 }),
  ...APPLETS.split(" ").map((applet) => symlink(`bin/${applet}`, "busybox")),
  dir("etc/"),
  file("etc/passwd", "root:x:0:0::/:/bin/sh\n"),
);

const OWNED = { uid: 12, gid: 34, mode: 0o640 };
const linked = (name: string) => entry(name, "", { type: "1", link: "first", ...OWNED });

const LAYERS = [
  ROOT,
  archive(
    dir("a/"),
    file("a/one"),
    file("a/two"),
    dir("b/"),
    file("b/x"),
    dir("b/deep/"),
    file("b/deep/y"),
    dir("c/", { mode: 0o1777 }),
    file("c/below"),
    file("first", "linked", OWNED),
    linked("second"),
    entry("device", "", DEVICE),
    entry("fifo", "", { type: "6" }),
    pax({ "SCHILY.xattr.user.colour": "red" }),
    file("coloured"),
    symlink("link", "a/two"),
    dir("d/"),
    file("d/old"),
    dir("e/"),
    file("e/old"),
  ),
  archive(
    file("a/.wh.one", ""),
    file("b/.wh..wh..opq", ""),
    file("b/new"),
    file(".wh.c", ""),
    file("c", "a file now"),
    linked("third"),
    file(".wh.second", ""),
    // A directory that hides and has: before and after its own whiteout.
    dir("d/"),
    file("d/new"),
    file(".wh.d", ""),
    file(".wh.e", ""),
    dir("e/"),
    file("e/new"),
  ),
  archive(
    file(".wh.link", ""),
    dir("c/", { mode: 0o700, uid: 7 }),
    file("c/again"),
    dir("a/", { mode: 0o711 }),
  ),
];

const SEEN = [
  "a/",
  "a/two",
  "b/",
  "b/new",
  "c/",
  "c/again",
  "coloured",
  "d/",
  "d/new",
  "device",
  "e/",
  "e/new",
  "fifo",
  "first",
  "third",
];

/** Names that the engine makes for its mounts. */
const MOUNTED = /^(\.\/|dev\/|proc\/|sys\/|etc\/(hosts|hostname|resolv\.conf))$/;

/** Everything that an export has, a line each: names, owners, modes, times, links, sizes and attributes. */
function exported(sandbox: Sandbox, container: string): string[] {
  const path = join(sandbox.directory, "exported.tar");
  sandbox.ok(["export", "-o", path, container]);
  const lines = execFileSync("tar", ["--full-time", "--xattrs", "--xattrs-include=*", "-tvvf", path], {
    encoding: "utf8",
  })
    .split("\n")
    .map((line) => line.split(" ").filter(Boolean).join(" "));
  return lines.filter((line) => !MOUNTED.test(line.split(" ")[5] ?? ""));
}

function names(lines: string[]): string[] {
  const all = lines.map((line) => line.split(" ")[5] ?? "");
  return all.filter((name) => name !== "" && !/^(bin|etc)\//.test(name) && !name.startsWith("x:"));
}

describe.each(CASES)("%s on %s", (driver, filesystem, Make) => {
  let mounted: LoopFilesystem;
  let sandbox: Sandbox;
  const run = (...words: string[]) => sandbox.ok(["run", "--network", "none", ...words]);
  const shell = (name: string, image: string, script: string) =>
    run("--name", name, image, "sh", "-c", `set -e; ${script}`);

  beforeAll(() => {
    mounted = new LoopFilesystem(filesystem);
    sandbox = new Sandbox(mounted.path, { BOCKER_STORAGE_DRIVER: driver });
    sandbox.execute([sandbox.binary, "load"], imageArchive("layered", LAYERS));
    sandbox.execute([sandbox.binary, "load"], imageArchive("plain", [ROOT]));
  });

  afterAll(() => {
    sandbox.remove();
    mounted.remove();
  });

  const layers = () => readdirSync(join(sandbox.data, driver)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  const subvolumes = () =>
    filesystem === "btrfs"
      ? execFileSync("btrfs", ["subvolume", "list", mounted.path], { encoding: "utf8" }).trim()
      : "";

  test("a container sees its layers as one tree", () => {
    sandbox.ok(["create", "--name", "seen", "layered"]);
    const lines = exported(sandbox, "seen");
    expect(names(lines)).toEqual(SEEN);
    const line = (name: string) => lines.find((text) => new RegExp(` ${name}($| link to)`).test(text)) ?? "";
    expect(line("a/")).toStartWith("drwx--x--x");
    expect(line("c/")).toMatch(/^drwx------\S* 7\/0/);
    expect(line("device")).toMatch(/^crw-rw-rw-.* 1,3 /);
    expect(line("first")).toMatch(/^-rw-r-----\S* 12\/34/);
    expect(line("third")).toContain("link to first");
    expect(lines.join("\n")).toContain("user.colour");
    expect(run("--rm", "layered", "cat", "/first", "/third", "/c/again")).toBe("linkedlinkedcontent");
    sandbox.ok(["rm", "seen"]);
  });

  test("what is committed is what was changed", () => {
    const script = `
      echo new >/new; ln /new /b/other; mkdir -p /tree/of/dirs; echo x >/tree/of/dirs/file
      rm /a/two; rm -r /d; rm -r /e; mkdir /e; echo mine >/e/mine
      rm -r /b; echo 'now a file' >/b
      rm /coloured; mkdir /coloured; echo in >/coloured/inside
      chmod 4755 /first; mknod /made c 5 6; mkfifo /pipe; ln -s nowhere /dangling
      echo again >>/c/again; touch -d '2020-01-01 00:00:00' /c/again
      truncate -s 1M /sparse; echo end >>/sparse; chown 3:4 /c`;
    shell("changer", "layered", script);
    sandbox.ok(["commit", "changer", "changed"]);
    sandbox.ok(["create", "--name", "copy", "changed"]);
    expect(exported(sandbox, "copy")).toEqual(exported(sandbox, "changer"));
    expect(run("--rm", "changed", "cat", "/c/again", "/b", "/e/mine")).toBe("contentagain\nnow a file\nmine");
    expect(run("--rm", "changed", "stat", "-c", "%h", "/new")).toBe("1");
    // No more than that is in it: the last layer has nothing that was not touched.
    const saved = join(sandbox.directory, "saved.tar");
    sandbox.ok(["save", "-o", saved, "changed"]);
    const manifest = JSON.parse(execFileSync("tar", ["-xOf", saved, "manifest.json"], { encoding: "utf8" }));
    const top = execFileSync("tar", ["-xOf", saved, manifest[0].Layers.at(-1)]);
    const entries = execFileSync("tar", ["-tz"], { input: top, encoding: "utf8" }).split("\n");
    expect(entries).toContain(".wh.d");
    expect(entries).toContain("a/.wh.two");
    expect(
      entries.filter((name) => /busybox|passwd|third|device|fifo$/.test(name) && name !== "third"),
    ).toEqual([]);
    sandbox.ok(["rm", "changer", "copy"]);
    sandbox.ok(["rmi", "changed"]);
  });

  test("a fork is what the container is, and the same layer; a clone is what the volume is", () => {
    const script = `
      echo new >/new; ln /new /b/other; rm /a/two; rm -r /d; mkdir /d; echo mine >/d/mine; chmod 4755 /first
      mknod /made c 5 6; mkfifo /pipe; ln -s nowhere /dangling; rm /coloured; truncate -s 1M /sparse; echo end >>/sparse
      chown 3:4 /; chmod 711 /; cp /first /v/first; ln /v/first /v/second; chown 5:6 /v; mknod /v/device c 5 6`;
    run("--name", "forked", "-v", "contract:/v", "layered", "sh", "-c", `set -e; ${script}`);
    sandbox.ok(["fork", "--name", "fork", "--count", "2", "forked"]);
    for (const name of ["fork-1", "fork-2"])
      expect(exported(sandbox, name)).toEqual(exported(sandbox, "forked"));
    const top = (container: string) => {
      const image = sandbox.ok(["commit", container]);
      return [image, JSON.parse(sandbox.ok(["inspect", image]))[0].RootFS.Layers.at(-1)];
    };
    const committed = ["forked", "fork-2"].map(top);
    expect(committed[1]![1]).toBe(committed[0]![1]);
    sandbox.ok(["volume", "clone", "contract", "copy"]);
    const listing = (volume: string) =>
      run(
        "--rm",
        "-v",
        `${volume}:/v`,
        "plain",
        "sh",
        "-c",
        "cd /v; stat -c '%n %a %u:%g %h %s %t %T %Y' . *; cat first",
      );
    expect(listing("copy")).toBe(listing("contract"));
    sandbox.ok(["rm", "forked", "fork-1", "fork-2"]);
    sandbox.ok(["volume", "rm", "contract", "copy"]);
    sandbox.ok(["rmi", ...new Set(committed.map(([image]) => image))]);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  });

  test("contents that change under the same size and time are a change", () => {
    shell("sly", "plain", "echo 'ROOT:x:0:0::/:/bin/sh' >/etc/passwd; touch -d @1000 /etc/passwd");
    sandbox.ok(["commit", "sly", "sly"]);
    expect(run("--rm", "sly", "cat", "/etc/passwd")).toBe("ROOT:x:0:0::/:/bin/sh");
    sandbox.ok(["rm", "sly"]);
    sandbox.ok(["rmi", "sly"]);
  });

  test("the copy that a container's root is can be explained, and made by hand", () => {
    const words = ["run", "--rm", "--network", "none", "plain", "echo", "explained"];
    const text = sandbox.ok([words[0]!, "--explain", ...words.slice(1)]);
    expect(text.replace(/\s+/g, " ").includes(" a copy of ")).toBe(driver !== "overlay");
    const script = sandbox.ok([words[0]!, "--explain=sh", ...words.slice(1)]);
    const { stdout } = sandbox.execute(["sh"], script);
    expect(stdout).toContain("explained\n");
  });

  test("two containers of an image do not see each other, nor change it", () => {
    shell("one", "plain", "echo one >/mine; echo x >>/etc/passwd");
    shell("two", "plain", "[ ! -e /mine ]; rm -r /etc/passwd /bin/find");
    expect(sandbox.ok(["start", "-a", "one"])).toBe("");
    expect(run("--rm", "plain", "sh", "-c", "cat /etc/passwd; ls /mine 2>/dev/null || true")).toBe(
      "root:x:0:0::/:/bin/sh",
    );
    sandbox.ok(["rm", "one", "two"]);
  });

  test("a container keeps what it wrote over stop and start", () => {
    run("-d", "--name", "kept", "plain", "sh", "-c", "echo run >>/runs; exec sleep 100");
    const once = "while [ ! -s /runs ]; do sleep 0.01; done";
    const twice = 'while [ "$(cat /runs)" = run ]; do sleep 0.01; done; cat /runs';
    sandbox.ok(["exec", "kept", "sh", "-c", once]);
    sandbox.ok(["stop", "-t", "0", "kept"]);
    sandbox.ok(["start", "kept"]);
    expect(sandbox.ok(["exec", "kept", "sh", "-c", twice])).toBe("run\nrun");
    sandbox.ok(["rm", "-f", "kept"]);
  });

  test("the size of a container is that of what it changed", () => {
    shell("sized", "plain", "dd if=/dev/zero of=/big bs=1000 count=300 2>/dev/null; echo x >>/etc/passwd");
    const { SizeRw } = JSON.parse(sandbox.ok(["inspect", "-s", "sized"]))[0];
    const mine = 300_000 + "root:x:0:0::/:/bin/sh\nx\n".length;
    expect(SizeRw).toBeGreaterThanOrEqual(mine);
    // And the three files of the network.
    expect(SizeRw).toBeLessThan(mine + 1000);
    sandbox.ok(["rm", "sized"]);
  });

  test("layers that nobody finishes are stale once nobody holds them", () => {
    const root = join(mounted.path, "layers");
    const trash = join(mounted.path, "trash");
    mkdirSync(trash);
    const direct = new Make(root, trash);
    const open = (path: string) => openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    const begun = direct.beginLayer(undefined);
    writeFileSync(join(begun, "file"), "content");
    const fd = open(begun);
    flock(fd, LOCK_EX);
    expect(direct.staleLayers()).toEqual([]);
    const chain = `sha256:${"0".repeat(64)}`;
    direct.commitLayer(begun, chain);
    close(fd);
    const upper = direct.beginLayer(direct.layerDirectory(chain));
    expect(readdirSync(upper)).toEqual(direct.layerForm === "tree" ? ["file"] : []);
    expect(direct.staleLayers()).toHaveLength(1);
    expect(direct.removeStaleLayers()).toBe(1);
    expect(direct.layers()).toEqual([chain]);
    const second = direct.beginLayer(undefined);
    direct.commitLayer(second, chain);
    expect(readFileSync(join(direct.layerDirectory(chain), "file"), "utf8")).toBe("content");
    direct.removeLayer(chain);
    expect(direct.hasLayer(chain)).toBe(false);
    expect(readdirSync(trash)).toHaveLength(1);
    execFileSync("rm", ["-rf", root, trash]);
  });

  test("an image of 127 layers", () => {
    const many = Array.from({ length: 126 }, (_, index) =>
      archive(file(`layer-${index}`), file("top", String(index)), file(`.wh.layer-${index - 2}`, "")),
    );
    expect(sandbox.execute([sandbox.binary, "load"], imageArchive("many", [ROOT, ...many])).stderr).toBe("");
    expect(run("--rm", "many", "sh", "-c", "cat top; echo; ls -d layer-*")).toBe("125\nlayer-124\nlayer-125");
    sandbox.ok(["rmi", "many"]);
  });

  test("the host image has the machine's root below it in every driver", () => {
    expect(run("--rm", "host", "sh", "-c", "echo hi >/etc/bocker-was-here; cat /etc/bocker-was-here")).toBe(
      "hi",
    );
    expect(() => statSync("/etc/bocker-was-here")).toThrow();
  });

  test("a size that the driver cannot hold is refused, and one that it can is held", () => {
    const limited = ["run", "--rm", "--network", "none", "--storage-opt", "size=20M", "plain"];
    const write = (directory: string) => `dd if=/dev/zero of=${directory}/big bs=1M count=40 2>&1`;
    const { code, stderr, stdout } = sandbox.bocker([
      ...limited,
      "sh",
      "-c",
      `${write("")}; ls / >/dev/null`,
    ]);
    const volume = sandbox.bocker(["volume", "create", "-o", "size=20M", "small"]);
    if (driver !== "btrfs") {
      for (const text of [stderr, volume.stderr])
        expect(text).toContain(`size= needs the storage driver btrfs, and this data root has ${driver}`);
      expect(code).toBe(125);
      expect(sandbox.ok(["volume", "ls", "-q"])).toBe("");
      return;
    }
    expect(stdout).toMatch(/quota exceeded/i);
    expect(volume.stdout).toBe("small\n");
    const inVolume = sandbox.bocker([
      "run",
      "--rm",
      "--network",
      "none",
      "-v",
      "small:/v",
      "plain",
      "sh",
      "-c",
      write("/v"),
    ]);
    expect(inVolume.stdout).toMatch(/quota exceeded/i);
    expect(JSON.parse(sandbox.ok(["volume", "inspect", "small"]))[0].Options).toEqual({ size: "20971520" });
    sandbox.ok(["volume", "rm", "small"]);
  });

  test("another driver is refused with what to do", () => {
    const other = driver === "vfs" ? "overlay" : "vfs";
    const { code, stderr } = sandbox.bocker(["--storage-driver", other, "images"]);
    expect(code).toBe(1);
    expect(stderr).toContain(
      `was made by the storage driver ${driver}, and ${other} cannot read what it holds`,
    );
    expect(sandbox.bocker(["--storage-driver", "zfs", "images"]).stderr).toContain(
      "unknown storage driver zfs",
    );
    expect(sandbox.ok(["info", "--format", "{{.Driver}}"])).toBe(driver);
  });

  test("nothing is left of what is removed", () => {
    if (driver === "btrfs") {
      sandbox.ok(["create", "--name", "nested", "plain"]);
      const [id = ""] = readdirSync(join(sandbox.data, "containers"));
      const made = join(sandbox.data, "containers", id, "upper", "mine");
      execFileSync("btrfs", ["-q", "subvolume", "create", made]);
      execFileSync("btrfs", ["-q", "subvolume", "create", join(made, "inner")]);
      writeFileSync(join(made, "inner", "file"), "");
      sandbox.ok(["rm", "nested"]);
    }
    expect(sandbox.ok(["ps", "-aq"])).toBe("");
    sandbox.ok(["rmi", "layered", "plain"]);
    expect(layers()).toEqual([]);
    expect(readdirSync(join(sandbox.data, "trash"))).toEqual([]);
    expect(readdirSync(join(sandbox.data, "containers"))).toEqual([]);
    expect(subvolumes()).toBe("");
    expect(sandbox.ok(["system", "check"])).toBe("Nothing found.");
  });
});
