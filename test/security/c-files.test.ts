/** C. The engine reads and writes files of an image, or of a container that runs. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { busyboxSandbox } from "../e2e/busybox.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { Canary, compile, hostileImage, hostileRoot, RACER, rounds } from "./hostile.ts";

let sandbox: Sandbox;
let canary: Canary;
beforeAll(() => {
  sandbox = busyboxSandbox();
  canary = new Canary(sandbox);
});
afterAll(() => sandbox.remove());

test("C2 CVE-2019-14271: no library of the image is loaded by the engine", () => {
  const mark = join(sandbox.directory, "PWNED");
  const source = join(sandbox.directory, "evil.c");
  writeFileSync(
    source,
    `#include <fcntl.h>\n__attribute__((constructor)) static void run(void) { open("${mark}", O_CREAT | O_WRONLY, 0644); open("/PWNED", O_CREAT | O_WRONLY, 0644); }\n`,
  );
  hostileImage(sandbox, "evil-libraries", (root) => {
    mkdirSync(join(root, "lib/x86_64-linux-gnu"), { recursive: true });
    mkdirSync(join(root, "usr/lib"), { recursive: true });
    const library = join(root, "lib/x86_64-linux-gnu/libnss_files.so.2");
    execFileSync("cc", ["-shared", "-fPIC", "-o", library, source]);
    for (const name of ["lib/x86_64-linux-gnu/libc.so.6", "usr/lib/libicudata.so"])
      execFileSync("cp", [library, join(root, name)]);
    writeFileSync(join(root, "etc/ld.so.preload"), "/lib/x86_64-linux-gnu/libnss_files.so.2\n");
    writeFileSync(join(root, "etc/nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files\n");
    writeFileSync(join(root, "etc/passwd"), "bob:x:1000:1000::/:/bin/sh\n");
  });
  const id = sandbox.ok(["run", "-d", "-u", "bob", "evil-libraries", "sleep", "1000"]);
  expect(sandbox.ok(["exec", "-u", "bob", id, "id", "-u"])).toBe("1000");
  sandbox.ok(["commit", id, "evil-libraries-2"]);
  expect(sandbox.ok(["exec", id, "ls", "/"])).not.toContain("PWNED");
  sandbox.ok(["rm", "-f", id]);
  expect(existsSync(mark)).toBe(false);
});

test("C6 CVE-2023-0778: commit of a container that swaps links takes nothing of the host", () => {
  const racer = compile(sandbox, "racer", RACER);
  const name = basename(canary.path);
  const setUp = `mkdir /d; echo own >/d/${name}; ln -s ${canary.directory} /l; exec /racer /d /l`;
  const id = sandbox.ok(["run", "-d", "-v", `${racer}:/racer:ro`, "busybox", "sh", "-c", setUp]);
  for (let at = 0; at < rounds(200, 20); at++) {
    // Frozen or not, what it walks is what it opened.
    const { code } = sandbox.bocker(["commit", ...(at % 2 === 0 ? [] : ["--pause=false"]), id, "raced"]);
    if (at % 2 === 0) expect(code).toBe(0);
    if (code !== 0) continue;
    const layer = JSON.parse(sandbox.ok(["inspect", "raced"]))[0].GraphDriver.Data.UpperDir;
    const found = execFileSync("find", [layer, "-type", "f", "-name", name, "-exec", "cat", "{}", ";"], {
      encoding: "utf8",
    });
    expect(found).not.toContain(canary.secret);
    sandbox.ok(["rmi", "raced"]);
  }
  sandbox.ok(["rm", "-f", id]);
}, 60_000);

describe("C8 CVE-2024-9341 CVE-2024-9676 CVE-2026-55686: an image's /etc/passwd that is none", () => {
  const cases: [string, (root: string) => void][] = [
    ["a link to a file of the host", (root) => symlinkSync(canary.path, join(root, "etc/passwd"))],
    ["a pipe", (root) => execFileSync("mkfifo", [join(root, "etc/passwd")])],
    ["a device without an end", (root) => execFileSync("mknod", [join(root, "etc/passwd"), "c", "1", "5"])],
    ["a directory", (root) => mkdirSync(join(root, "etc/passwd"))],
    [
      "five gigabytes, with a hole",
      (root) => {
        writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
        truncateSync(join(root, "etc/passwd"), 5 * 2 ** 30);
      },
    ],
    [
      "links in a circle",
      (root) => {
        symlinkSync("b", join(root, "etc/passwd"));
        symlinkSync("passwd", join(root, "etc/b"));
      },
    ],
  ];
  test.each(cases)("%s", (_, spoil) => {
    const root = hostileRoot(sandbox, (at) => {
      rmSync(join(at, "etc/passwd"));
      spoil(at);
    });
    // By number no file is needed; by name it is an error in words. Neither waits, or fills memory.
    const numeric = sandbox.execute([
      "prlimit",
      "--as=17179869184",
      sandbox.binary,
      "run",
      "--rm",
      "-u",
      "1000",
      "--rootfs",
      root,
      "/bin/sh",
      "-c",
      "exit 7",
    ]);
    expect([7, 125]).toContain(numeric.code);
    const named = sandbox.bocker(["run", "--rm", "-u", "bob", "--rootfs", root, "/bin/sh", "-c", "exit 7"]);
    expect(named.code).toBe(125);
    canary.expectUntouched(numeric.stderr, named.stderr);
    rmSync(root, { recursive: true });
  });

  test("a working directory behind a link is made inside", () => {
    const link = (root: string) => symlinkSync(canary.directory, join(root, "w"));
    hostileImage(sandbox, "workdir", link, ["WORKDIR /w/new"]);
    sandbox.bocker(["run", "--rm", "workdir", "true"]);
    canary.expectUntouched();
  });
});

test("C9 CVE-2025-9566 CVE-2022-4122: what a container has planted in a volume is not written through", () => {
  const target = join(sandbox.directory, "planted-target");
  const plant = `for f in resolv.conf hosts hostname mtab; do ln -sf ${target} /vol/$f; done`;
  sandbox.ok(["run", "--rm", "-v", "etc:/vol", "busybox", "sh", "-c", plant]);
  sandbox.bocker(["run", "--rm", "-v", "etc:/etc", "busybox", "true"]);
  expect(existsSync(target)).toBe(false);
  // A volume that is filled from an image is filled once, and never through what is in it.
  hostileImage(sandbox, "filler", (root) => {
    mkdirSync(join(root, "data"));
    writeFileSync(join(root, "data/foo"), "from the image");
  });
  sandbox.ok(["run", "--rm", "-v", "filled:/x", "busybox", "sh", "-c", `ln -s ${target} /x/foo`]);
  sandbox.ok(["run", "--rm", "-v", "filled:/data", "filler", "true"]);
  expect(existsSync(target)).toBe(false);
});

test("a file that is written with O_CREAT through a dangling link of the image stays inside", () => {
  hostileImage(sandbox, "etc-links", (root) => {
    for (const name of ["hosts", "hostname", "resolv.conf", "mtab"])
      symlinkSync(join(canary.directory, name), join(root, "etc", name));
  });
  sandbox.bocker(["run", "--rm", "etc-links", "true"]);
  canary.expectUntouched();
});

test("a program that is not there to be read is executed as any other", () => {
  const program = compile(sandbox, "unreadable", "int main(void) { return 42; }");
  hostileImage(sandbox, "unreadable", (root) => {
    execFileSync("install", ["-m", "0111", program, join(root, "bin/unreadable")]);
  });
  expect(sandbox.bocker(["run", "--rm", "-u", "1000", "unreadable", "/bin/unreadable"]).code).toBe(42);
});
