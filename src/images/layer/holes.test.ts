import { expect, test } from "bun:test";
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { archivedExtents, mayHaveHoles, writeAroundZeros } from "./holes.ts";
import type { TarEntry } from "./tar-entry.ts";
import { TarReader } from "./tar-reader.ts";
import { tarHeader } from "./tar-writer.ts";

const MIB = 1 << 20;

/** Writes `content` in chunks of `size` bytes as a new file; what the file has, and how much of the disk. */
function written(content: Buffer, size: number): { bytes: Buffer; used: number } {
  const directory = mkdtempSync(join(tmpdir(), "bocker-holes-"));
  try {
    const path = join(directory, "file");
    const fd = openSync(path, "w");
    for (let at = 0; at < content.length; at += size)
      writeAroundZeros(fd, content.subarray(at, at + size), at);
    ftruncateSync(fd, content.length);
    closeSync(fd);
    return { bytes: readFileSync(path), used: statSync(path).blocks * 512 };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("small holes are zeros, large ones are holes, and there are never too many", () => {
  const size = 1024 * MIB;
  expect(archivedExtents([{ offset: 0, length: size - 1 }], size)).toBeUndefined();
  expect(archivedExtents([], 100 * MIB)).toBeUndefined();
  expect(archivedExtents([], 0)).toBeUndefined();
  expect(archivedExtents([], size)).toEqual([]);
  const few = [{ offset: MIB, length: MIB }];
  expect(archivedExtents(few, size)).toEqual(few);
  const many = Array.from({ length: 100_000 }, (_, at) => ({ offset: at * 8192, length: 1000 }));
  const kept = archivedExtents(many, size)!;
  expect(kept.length).toBeLessThan(20_000);
  expect([kept[0]!.offset, kept.at(-1)!.offset + kept.at(-1)!.length]).toEqual([0, 99_999 * 8192 + 1000]);
});

test("the map of a file with very many holes is one that readers take", () => {
  const size = 2 ** 52;
  const many = Array.from({ length: 100_000 }, (_, at) => ({
    offset: size / 2 + at * 65_536,
    length: at % 9 === 0 ? 1000 : 60_000,
  }));
  const extents = archivedExtents(many, size)!;
  expect(extents.length).toBeGreaterThan(1000);
  const root = { mode: 0o600, uid: 0, gid: 0, mtime: { sec: 0, nsec: 0 }, major: 0, minor: 0 };
  const name = Buffer.from("many");
  const header = tarHeader({
    ...root,
    type: "file",
    name,
    linkName: Buffer.alloc(0),
    size,
    xattrs: new Map(),
    extents,
  });
  const found: TarEntry[] = [];
  new TarReader({ entry: (entry) => found.push(entry), data: () => undefined, end: () => undefined }).write(
    header,
  );
  // The last one is empty, and says where the file ends.
  expect(found.map((entry) => entry.extents)).toEqual([[...extents, { offset: size, length: 0 }]]);
});

test("only large files are looked through", () => {
  expect([mayHaveHoles(MIB - 1), mayHaveHoles(MIB)]).toEqual([false, true]);
});

test("zeros take no room, whatever the chunks", () => {
  const content = Buffer.alloc(8 * MIB);
  content.fill(1, 3 * MIB + 5, 3 * MIB + 70_000);
  for (const size of [1000, 65_536, 262_144, 777_777]) {
    const { bytes, used } = written(content, size);
    expect(bytes.equals(content)).toBe(true);
    expect(used).toBeLessThan(MIB);
  }
});

test("what is written is read, wherever the zeros are", () => {
  const runs = fc.array(fc.tuple(fc.integer({ min: 0, max: 100_000 }), fc.boolean()), { maxLength: 8 });
  fc.assert(
    fc.property(runs, fc.integer({ min: 500, max: 300_000 }), (parts, size) => {
      const content = Buffer.concat(parts.map(([length, isZero]) => Buffer.alloc(length, isZero ? 0 : 7)));
      expect(written(content, size).bytes.equals(content)).toBe(true);
    }),
    { numRuns: 100 },
  );
});
