/** A store with no room, in bytes or in inodes: what is asked for is refused with the reason, and leaves nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fillRoot } from "../e2e/busybox.ts";
import { imageOf, layerOf, tarOf } from "../e2e/image/layout.ts";
import { Registry } from "../e2e/image/registry.ts";
import { type Result, Sandbox } from "../e2e/sandbox.ts";
import { untilSync } from "../e2e/wait.ts";

let sandbox: Sandbox;
let registry: Registry;
let reference: string;
beforeAll(async () => {
  sandbox = new Sandbox();
  // The store is a small disk of its own.
  mkdirSync(sandbox.data);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m,nr_inodes=4000,mode=0710", "tmpfs", sandbox.data]);
  const root = join(sandbox.directory, "root");
  mkdirSync(root);
  fillRoot(root);
  sandbox.ok(["init", root, "busybox"]);
  registry = await Registry.start(sandbox, "127.0.0.1:5000");
  const files = (count: number, size: number) =>
    layerOf(
      tarOf((at) => {
        for (let i = 0; i < count; i++) writeFileSync(join(at, `f${i}`), "x".repeat(size));
        execFileSync("dd", ["if=/dev/urandom", `of=${at}/random`, "bs=1M", "count=2", "status=none"]);
      }),
    );
  // Enough of them that a thread makes them.
  reference = registry.push("large:1", imageOf([files(20, 10), files(500, 5000)]));
});
afterAll(async () => {
  await registry?.stop();
  rmSync(ballast(), { recursive: true, force: true });
  for (const id of sandbox.bocker(["ps", "-aq"]).stdout.split("\n").filter(Boolean))
    sandbox.bocker(["rm", "-f", "-v", id]);
  execFileSync("umount", [sandbox.data]);
  sandbox.remove();
});

const ballast = () => join(sandbox.data, "ballast");

/** Leaves `bytes` of room. */
function fillBytes(bytes: number): void {
  mkdirSync(ballast());
  const fd = openSync(join(ballast(), "bytes"), "w");
  const { bavail, bsize } = statfsSync(sandbox.data);
  const zeros = Buffer.alloc(4096);
  try {
    for (let left = bavail * bsize - bytes; left > 0; left -= writeSync(fd, zeros, 0, Math.min(left, 4096)));
  } catch (error) {
    // A container that writes at the same time was faster.
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
  closeSync(fd);
}

/** Leaves room for `count` files. */
function fillInodes(count: number): void {
  mkdirSync(ballast());
  for (let left = statfsSync(sandbox.data).ffree - count; left > 0; left--)
    closeSync(openSync(join(ballast(), String(left)), "w"));
}

const used = () => statfsSync(sandbox.data).blocks - statfsSync(sandbox.data).bfree;

const VERBS: Record<string, { prepare?: string[]; words: () => string[]; undo: string[] }> = {
  create: {
    // A volume that is filled: what is recorded has room in the log.
    words: () => ["create", "--name", "kay", "-v", "/bin", "busybox", "true"],
    undo: ["rm", "-v", "kay"],
  },
  run: {
    words: () => ["run", "--name", "kay", "-p", "80", "busybox", "true"],
    undo: ["rm", "-v", "kay"],
  },
  commit: {
    prepare: [
      "run",
      "--name",
      "kay",
      "busybox",
      "sh",
      "-c",
      "dd if=/dev/urandom of=/x bs=1M count=3; mkdir /d",
    ],
    words: () => ["commit", "kay", "committed"],
    undo: ["rmi", "-f", "committed"],
  },
  init: { words: () => ["init", "/usr/share/doc/perl", "tree"], undo: ["rmi", "-f", "tree"] },
  pull: { words: () => ["pull", reference], undo: ["rmi", "-f", "PULLED"] },
};

function expectRefused(where: string, { code, stderr }: Result): void {
  expect([where, code === 1 || code === 125]).toEqual([where, true]);
  // SQLite has words of its own for it.
  expect([where, stderr]).toEqual([where, expect.stringMatching(/no space left on device/)]);
  expect([where, stderr]).toEqual([where, expect.not.stringMatching(/\n\s+at |SQLITE/)]);
}

/** Tries a command with more and more room until it works; whenever it does not, it says why and leaves nothing. */
function tryAlong(name: string, fill: (room: number) => void, rooms: number[]): number {
  const { prepare, words, undo } = VERBS[name]!;
  const undoing = undo.map((word) => (word === "PULLED" ? reference : word));
  let refused = 0;
  for (const room of rooms) {
    if (prepare !== undefined) sandbox.ok(prepare);
    sandbox.bocker(["ps"]);
    const before = used();
    fill(room);
    const result = sandbox.bocker(words());
    // Also with no room at all, what is there can be looked at and taken away.
    const looked = sandbox.bocker(["ps", "-a"]);
    rmSync(ballast(), { recursive: true });
    const where = `${name} with room for ${room}`;
    expect([where, looked.code, looked.code === 0 ? "" : looked.stderr]).toEqual([where, 0, ""]);
    expect([where, looked.stderr]).toEqual([
      where,
      expect.stringMatching(/^(bocker: (repaired|cannot repair what a crash has left): .*\n)*$/),
    ]);
    if (result.code !== 0) {
      refused++;
      expectRefused(where, result);
      sandbox.bocker(undoing);
      sandbox.bocker(["system", "check", "--repair"]);
      // A page of the database and its log may have come.
      expect([where, used() - before]).toEqual([where, expect.any(Number)]);
      expect(used() - before).toBeLessThan(64);
    }
    expect([where, sandbox.bocker(["system", "check"]).stdout]).toEqual([where, "Nothing found.\n"]);
    if (result.code !== 0) sandbox.ok(words());
    sandbox.bocker(undoing);
    if (prepare !== undefined) sandbox.ok(["rm", "kay"]);
  }
  return refused;
}

describe("with little room", () => {
  const KIB = 1024;
  test.each(Object.keys(VERBS))("%s: bytes", (name) => {
    const rooms = [0, 4, 8, 16, 32, 64, 128, 256, 1024, 3072, 20_000].map((room) => room * KIB);
    expect(tryAlong(name, fillBytes, rooms)).toBeGreaterThan(0);
  });
  test.each(Object.keys(VERBS))("%s: inodes", (name) => {
    expect(tryAlong(name, fillInodes, [0, 1, 2, 3, 5, 8, 13, 21, 100, 1000])).toBeGreaterThan(0);
  });

  test("on a disk that is quite full everything can be stopped and removed", () => {
    sandbox.ok(["create", "--name", "idle", "--network", "none", "busybox", "true"]);
    sandbox.ok(["tag", "busybox", "another"]);
    const flood = ["sh", "-c", "while :; do echo line; done"];
    sandbox.ok(["run", "-d", "--name", "flood", "--network", "none", "busybox", ...flood]);
    fillBytes(0);
    Bun.sleepSync(500);
    try {
      expect(sandbox.bocker(["ps", "-aq"]).stdout.split("\n").filter(Boolean)).toHaveLength(2);
      expect(sandbox.ok(["rm", "idle"])).toBe("idle");
      expect(sandbox.ok(["rm", "-f", "flood"])).toBe("flood");
      expect(sandbox.ok(["rmi", "another"])).toBe("Untagged: another:latest");
    } finally {
      rmSync(ballast(), { recursive: true, force: true });
    }
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  });

  test("a container whose log and root are full goes on, and so does its monitor", () => {
    // Not so fast that it has filled again what is made free below before anybody looked.
    sandbox.ok([
      "run",
      "-d",
      "--name",
      "writer",
      "busybox",
      "sh",
      "-c",
      "while :; do echo line; usleep 2000; done",
    ]);
    fillBytes(0);
    Bun.sleepSync(500);
    // It is not even certain that the database can be opened then; but that is said, and nothing else happens.
    const { code, stderr } = sandbox.bocker(["exec", "writer", "sh", "-c", "echo x >/file"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/no space left on device|is the disk full/i);
    rmSync(ballast(), { recursive: true });
    expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", "writer"])).toBe("running");
    expect(sandbox.ok(["exec", "writer", "echo", "alive"])).toBe("alive");
    const grown = () => Number(sandbox.ok(["logs", "-t", "--tail", "1", "writer"]).slice(17, 19));
    const before = grown();
    untilSync(() => grown() !== before);
    sandbox.ok(["rm", "-f", "writer"]);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  });
});
