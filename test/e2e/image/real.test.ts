/** Images as they are out there, and at the limits: from a directory or archive through commit, save, load, push and pull. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { debianArchive } from "../debian-root.ts";
import { DRIVERS, driverSandbox } from "../drivers.ts";
import type { Sandbox } from "../sandbox.ts";
import { imageOf, layerOf, tarOf } from "./layout.ts";
import { Registry } from "./registry.ts";
import { fillRichTree, LIST, shell } from "./rich-tree.ts";

const HOST = "127.0.0.1:5000";
const LAYERS_MAX = 127;
const isLong = process.env["BOCKER_LONG"] === "1";
/** Milliseconds. */
const LIMIT = isLong ? 1_200_000 : 120_000;
const FILES = isLong ? 200_000 : 1000;

/** What a container of the image has, unpacked from its export by GNU tar. */
function filesOf(sandbox: Sandbox, image: string): string {
  const directory = mkdtempSync(join(sandbox.directory, "export-"));
  const id = sandbox.ok(["create", "--network", "none", image, "true"]);
  const unpack = '"$0" export "$1" | tar -C "$2" --xattrs --xattrs-include="*" --numeric-owner -xpSf -';
  const words = ["bash", "-o", "pipefail", "-c", unpack, sandbox.binary, id, directory];
  expect(sandbox.execute(words)).toEqual({ code: 0, stdout: "", stderr: "" });
  sandbox.ok(["rm", id]);
  const list = shell(LIST, directory);
  rmSync(directory, { recursive: true });
  return list;
}

const idOf = (sandbox: Sandbox, name: string) => sandbox.ok(["image", "inspect", "-f", "{{.Id}}", name]);
const usedKiB = (directory: string) => Number(shell('du -sk "$1" | cut -f1', directory));

/**
 * Sends the image away by `save` and by `push`, and brings it back: it is the same, and its files are.
 * The archive stays at `archive`.
 */
function travel(sandbox: Sandbox, image: string, archive: string, list = filesOf): void {
  const id = idOf(sandbox, image);
  const files = list(sandbox, image);
  sandbox.ok(["save", "-o", archive, image]);
  const name = `${HOST}/${image}`;
  sandbox.ok(["tag", image, name]);
  sandbox.ok(["push", "-q", name]);
  sandbox.ok(["rmi", image, name]);
  expect(sandbox.ok(["load", "-q", "-i", archive])).toBe(`Loaded image: ${image}`);
  expect([idOf(sandbox, image), list(sandbox, image)]).toEqual([id, files]);
  const again = `${archive}.again`;
  sandbox.ok(["save", "-o", again, image]);
  expect(shell('cmp "$1" "$2"', archive, again)).toBe("");
  sandbox.ok(["rmi", image]);
  sandbox.ok(["pull", "-q", name]);
  expect([idOf(sandbox, name), list(sandbox, name)]).toEqual([id, files]);
  sandbox.ok(["tag", name, image]);
  sandbox.ok(["rmi", name]);
  expect(sandbox.ok(["system", "check"])).toBe("Nothing found.");
}

/** With a file of 8 GiB that is all holes but for some bytes, and a program that an ordinary user can do something with. */
function fillOddTree(directory: string): void {
  fillRichTree(directory);
  shell(
    `cd "$1"; truncate -s 8G huge; printf x | dd of=huge bs=1 seek=4000000000 conv=notrunc status=none
    truncate -s 100M holes; printf y >>holes; mkdir -p usr/bin var/lib/apart tmp; chmod 1777 tmp
    cp /bin/busybox usr/bin/chown; setcap cap_chown+ep usr/bin/chown; ln usr/bin/chown var/lib/apart/linked
    mknod var/lib/apart/loop b 7 3; mknod var/lib/apart/tty c 4 64; chmod 620 var/lib/apart/tty; chown 0:5 var/lib/apart/tty
    printf z >"$(printf 'var/lib/apart/\\351t\\351')"; ln "$(printf 'var/lib/apart/\\351t\\351')" "$(printf 'usr/\\374')"`,
    directory,
  );
}

let kept: string;
beforeAll(() => {
  kept = mkdtempSync(join(tmpdir(), "bocker-kept-"));
});
afterAll(() => rmSync(kept, { recursive: true }));

describe.each(DRIVERS)("with %s", (driver, filesystem) => {
  let made: ReturnType<typeof driverSandbox>;
  let registry: Registry;
  let sandbox: Sandbox;
  beforeAll(async () => {
    made = driverSandbox(driver, filesystem, isLong ? 8 * 2 ** 30 : undefined);
    sandbox = made.sandbox;
    registry = await Registry.start(sandbox, HOST);
  });
  afterAll(async () => {
    await registry?.stop();
    made?.remove();
  });

  test("holes, capabilities, devices, hard links across directories, names in Latin-1", () => {
    const tree = join(sandbox.directory, "tree");
    mkdirSync(tree);
    fillOddTree(tree);
    sandbox.ok(["init", tree, "odd:1"]);
    rmSync(tree, { recursive: true });
    const change = `echo more | dd of=/huge bs=1 seek=7000000000 conv=notrunc status=none; truncate -s 8G /new
      echo a >/tmp/mine; chown 1000:1000 /tmp/mine; rm /etc/fifo; mv /var/lib/apart/tty /usr/tty`;
    const words = ["--name", "writer", "--network", "none", "odd:1", "/bin/busybox", "sh", "-c", change];
    expect(sandbox.bocker(["run", ...words])).toEqual({ code: 0, stdout: "", stderr: "" });
    sandbox.ok(["commit", "writer", "odd:2"]);
    sandbox.ok(["rm", "writer"]);
    travel(sandbox, "odd:2", join(kept, `odd-${driver}.tar`));

    const user = ["run", "--rm", "--network", "none", "-u", "1000", "odd:2", "/bin/busybox", "sh", "-c"];
    const own =
      "/usr/bin/chown 7:8 /tmp/mine && stat -c %u:%g /tmp/mine; dd if=/huge bs=1 skip=7000000000 count=4 2>/dev/null";
    expect(sandbox.ok([...user, own])).toBe("7:8\nmore");
    expect(sandbox.bocker([...user, "/bin/busybox chown 0:0 /tmp/mine"]).code).not.toBe(0);
    expect(usedKiB(sandbox.directory)).toBeLessThan(100 << 10);
    sandbox.ok(["rmi", "odd:1", "odd:2"]);
  });

  test("an archive of another driver's is the same image", () => {
    const archive = join(kept, `odd-${DRIVERS[0]![0]}.tar`);
    expect(sandbox.ok(["load", "-q", "-i", archive])).toBe("Loaded image: odd:2");
    const again = join(sandbox.directory, "odd.tar");
    sandbox.ok(["save", "-o", again, "odd:2"]);
    expect(shell('cmp "$1" "$2"', archive, again)).toBe("");
    const list = join(kept, "odd.list");
    const files = filesOf(sandbox, "odd:2");
    if (driver === DRIVERS[0]![0]) writeFileSync(list, files);
    expect(files).toBe(readFileSync(list, "utf8"));
    sandbox.ok(["rmi", "odd:2"]);
  });

  // Each file is a write for the disk, which others use: once is enough where time counts.
  if (driver === "overlay" || isLong)
    test(
      `${FILES} files`,
      () => {
        const tree = join(sandbox.directory, "many");
        for (let at = 0; at < FILES; at++) {
          if (at % 1000 === 0) mkdirSync(join(tree, `d${at / 1000}`), { recursive: true });
          writeFileSync(
            join(tree, `d${Math.floor(at / 1000)}/f${at}`),
            at % 3 === 0 ? "" : `${at}\n`.repeat(at % 50),
          );
        }
        sandbox.ok(["init", tree, "many:1"]);
        rmSync(tree, { recursive: true });
        sandbox.ok(["create", "--name", "more", "--network", "none", "many:1", "true"]);
        sandbox.ok(["commit", "-c", "LABEL a=b", "more", "many:2"]);
        sandbox.ok(["rm", "more"]);
        travel(sandbox, "many:2", join(kept, "many.tar"));
        sandbox.ok(["rmi", "many:1", "many:2"]);
      },
      LIMIT,
    );

  if (driver === "overlay" || isLong)
    test(`${LAYERS_MAX} layers, and commits upon them`, () => {
      const root = layerOf(
        tarOf((at) => shell('mkdir "$1/bin"; cp /bin/busybox "$1/bin"; ln -s busybox "$1/bin/cat"', at)),
      );
      const layers = Array.from({ length: LAYERS_MAX - 2 }, (_, number) =>
        layerOf(tarOf((at) => writeFileSync(join(at, "last"), `${number}\n`))),
      );
      const name = registry.push("high:1", imageOf([root, ...layers]));
      sandbox.ok(["pull", "-q", name]);
      sandbox.ok([
        "run",
        "--name",
        "higher",
        "--network",
        "none",
        name,
        "/bin/busybox",
        "sh",
        "-c",
        "cat /last >/top",
      ]);
      sandbox.ok(["commit", "higher", "high:2"]);
      sandbox.ok(["rm", "higher"]);
      sandbox.ok(["rmi", name]);
      travel(sandbox, "high:2", join(kept, "high.tar"));
      expect(JSON.parse(sandbox.ok(["image", "inspect", "high:2"]))[0].RootFS.Layers).toHaveLength(
        LAYERS_MAX,
      );
      expect(sandbox.ok(["run", "--rm", "--network", "none", "high:2", "cat", "/top"])).toBe(
        `${LAYERS_MAX - 3}`,
      );
      sandbox.ok(["rmi", "high:2"]);
    });
});

const debian = debianArchive();
if ("reason" in debian) console.warn(`SKIPPED: a Debian root: ${debian.reason}`);

describe.skipIf("reason" in debian)("a Debian root", () => {
  let made: ReturnType<typeof driverSandbox>;
  let registry: Registry;
  beforeAll(async () => {
    made = driverSandbox("overlay", undefined);
    registry = await Registry.start(made.sandbox, HOST);
  });
  afterAll(async () => {
    await registry?.stop();
    made?.remove();
  });

  test("is the same after import, commit, save, load, push and pull", () => {
    const { sandbox } = made;
    const archive = "path" in debian ? debian.path : "";
    const tree = join(sandbox.directory, "debian");
    shell('mkdir "$2"; tar --numeric-owner --xattrs --xattrs-include="*" -C "$2" -xpf "$1"', archive, tree);
    const expected = shell(LIST, tree);
    rmSync(tree, { recursive: true });
    sandbox.ok(["import", archive, "debian:1"]);
    const lowest = (image: string) => {
      const { UpperDir, LowerDir = "" } = JSON.parse(sandbox.ok(["image", "inspect", image]))[0].GraphDriver
        .Data;
      return shell(LIST, [UpperDir, ...LowerDir.split(":").filter(Boolean)].at(-1));
    };
    expect(lowest("debian:1")).toBe(expected);
    const change = "apt-get check -qq && rm -r /usr/share/doc && mkdir /usr/share/doc && dpkg --configure -a";
    sandbox.ok(["run", "--name", "changed", "--network", "none", "debian:1", "sh", "-c", change]);
    sandbox.ok(["commit", "changed", "debian:2"]);
    sandbox.ok(["rm", "changed"]);
    sandbox.ok(["rmi", "debian:1"]);
    travel(sandbox, "debian:2", join(kept, "debian.tar"), () => "");
    expect(lowest("debian:2")).toBe(expected);
    expect(sandbox.ok(["run", "--rm", "--network", "none", "debian:2", "ls", "-A", "/usr/share/doc"])).toBe(
      "",
    );
  }, 300_000);
});
