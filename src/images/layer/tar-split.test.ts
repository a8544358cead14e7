import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { tarOf } from "../../../test/e2e/image/layout.ts";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../../os/constants.ts";
import { openat, withFd } from "../../os/files.ts";
import { LayerApplier } from "./apply.ts";
import { inflate } from "./inflate.ts";
import { TarReader } from "./tar-reader.ts";
import { restoredArchive, SplitRecorder } from "./tar-split.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bocker-split-"));
});
afterEach(() => rmSync(root, { recursive: true }));

async function* one(bytes: Uint8Array) {
  yield bytes;
}

/** Unpacks an archive, given in chunks of `size` bytes, to `root`; returns what has been written down. */
async function split(archive: Buffer, size = 1 << 20): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const fd = openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
  await withFdAsync(fd, async () => {
    const applier = new LayerApplier(fd, { mode: "layer" });
    const recorder = new SplitRecorder(applier, (bytes) => pieces.push(Buffer.from(bytes)));
    const reader = new TarReader(recorder);
    for (let at = 0; at < archive.length; at += size)
      // Memory that is someone else's afterwards.
      await recorder.write(reader, Buffer.from(archive.subarray(at, at + size)));
    reader.finish();
    await recorder.finish();
    applier.finish();
  });
  return Buffer.concat(pieces);
}

async function withFdAsync(fd: number, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } finally {
    withFd(fd, () => undefined);
  }
}

async function restored(pieces: Buffer): Promise<Buffer> {
  const fd = openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
  const chunks: Buffer[] = [];
  await withFdAsync(fd, async () => {
    for await (const chunk of restoredArchive(inflate(one(pieces)), fd)) chunks.push(Buffer.from(chunk));
  });
  return Buffer.concat(chunks);
}

describe("an archive is the same again", () => {
  const everything = () =>
    tarOf((at) => {
      const file = (name: string, content: string | Buffer) => writeFileSync(join(at, name), content);
      mkdirSync(join(at, "d/e"), { recursive: true });
      file("d/e/small", "x");
      file("d/empty", "");
      file("block", Buffer.alloc(512, 1));
      file("large", Buffer.alloc(3_000_001, 2));
      file("n".repeat(200), "long name");
      file(Buffer.from([0x6c, 0xe4, 0xdf]).toString("latin1"), "latin");
      execFileSync(
        "sh",
        ["-c", "ln large linked; ln -s d symlink; mkfifo pipe; mknod node c 1 3; chown 7:8 block"],
        { cwd: at },
      );
      truncateSync(join(at, "large"), 9_000_000);
      file("sparse", "start");
      truncateSync(join(at, "sparse"), 1 << 30);
      execFileSync(
        "dd",
        ["if=/dev/zero", "of=sparse", "bs=1", "count=1", "seek=500000000", "conv=notrunc", "status=none"],
        { cwd: at },
      );
    });

  test.each([1 << 20, 513, 100_003])("with all that a tar can hold, in chunks of %p bytes", async (size) => {
    const archive = everything();
    expect((await restored(await split(archive, size))).equals(archive)).toBe(true);
    expect(readdirSync(root)).toContain("sparse");
  });

  test("by GNU tar in its formats, with what follows its end", async () => {
    for (const format of ["gnu", "ustar", "pax", "v7"]) {
      rmSync(root, { recursive: true });
      mkdirSync(root);
      const source = mkdtempSync(join(tmpdir(), "bocker-source-"));
      writeFileSync(join(source, "a"), "a".repeat(1000));
      writeFileSync(join(source, "b"), "");
      const tar = execFileSync("tar", ["-C", source, `--format=${format}`, "-cf", "-", "."]);
      rmSync(source, { recursive: true });
      const archive = Buffer.concat([tar, Buffer.from("behind the end")]);
      expect((await restored(await split(archive))).equals(archive)).toBe(true);
    }
  });

  test("with whiteouts and names of aufs that have contents, which no file has", async () => {
    const archive = tarOf((at) => {
      mkdirSync(join(at, "d"));
      for (const name of ["d/.wh..wh..opq", "d/.wh..wh.plnk", ".wh.gone", "file", "d/other"])
        writeFileSync(join(at, name), name.repeat(1000));
    });
    for (const size of [1 << 20, 700]) {
      expect((await restored(await split(archive, size))).equals(archive)).toBe(true);
      rmSync(root, { recursive: true });
      mkdirSync(root);
    }
  });

  test("whatever files there are, however it is cut", async () => {
    const files = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.uint8Array({ maxLength: 3000 }), {
      maxKeys: 8,
    });
    await fc.assert(
      fc.asyncProperty(files, fc.integer({ min: 1, max: 5000 }), async (tree, size) => {
        rmSync(root, { recursive: true });
        mkdirSync(root);
        const archive = tarOf((at) => {
          for (const [name, content] of Object.entries(tree)) writeFileSync(join(at, name), content);
        });
        expect((await restored(await split(archive, size))).equals(archive)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test("and takes little room besides its files", async () => {
    const archive = tarOf((at) => writeFileSync(join(at, "large"), Buffer.alloc(5_000_000, 3)));
    expect((await split(archive)).length).toBeLessThan(1000);
  });
});

describe("what has been changed is noticed", () => {
  const archive = () => tarOf((at) => writeFileSync(join(at, "file"), "x".repeat(5000)));
  const replaced =
    (...words: string[]) =>
    (path: string) => {
      rmSync(path);
      execFileSync(words[0]!, [...words.slice(1), path]);
    };
  test.each<[string, (path: string) => void, string]>([
    ["gone", (path) => rmSync(path), '"file" is missing'],
    ["shorter", (path) => truncateSync(path, 10), '"file" has become shorter'],
    ["a directory", replaced("mkdir"), '"file" is no file any more'],
    ["a symlink", replaced("ln", "-s", "/etc/passwd"), '"file" is missing'],
    ["a pipe", replaced("mkfifo"), '"file" is no file any more'],
  ])("%s", async (_, change, message) => {
    const pieces = await split(archive());
    change(join(root, "file"));
    await expect(restored(pieces)).rejects.toThrow(message);
  });
  test("what is kept of it is cut off, or is something else", async () => {
    const pieces = await split(archive());
    await expect(restored(pieces.subarray(0, -20))).rejects.toMatchObject({ code: "corrupt" });
    for (const bytes of ["\u0000\u0001", "\u0000\uffff\uffff\uffff", "\u0001\u0001", "\u0005"])
      await expect(restored(Buffer.from(bytes, "latin1"))).rejects.toMatchObject({ code: "corrupt" });
  });
});
