/**
 * Entries are made later than they are read, many at a time and by another thread: what comes of an archive is the same as
 * if each entry had been an archive of its own.
 */
import { expect, test } from "bun:test";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { close } from "../../os/files.ts";
import { LayerApplier } from "./apply.ts";
import { openHostDirectory } from "./layer-root.ts";
import type { TarEntry, TarEntryType } from "./tar-entry.ts";
import { TarReader } from "./tar-reader.ts";
import { END_OF_ARCHIVE, tarHeader, tarPadding } from "./tar-writer.ts";

/** Few names, so that they meet; ".." and links among them. */
const NAMES = ["a", "b", "c", ".."];
const name = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join("/"));
const type = fc.constantFrom<TarEntryType>(
  ...(["file", "file", "file", "directory", "directory", "symlink", "hardlink", "fifo"] as const),
);
const item = fc.record({
  type,
  name,
  linkName: name,
  size: fc.constantFrom(0, 10, 5_000, 20_000, 300_000, 1_100_000),
  mode: fc.constantFrom(0o644, 0o755, 0o4755, 0o1777),
  uid: fc.constantFrom(0, 1000),
  hasAttribute: fc.constantFrom(false, false, false, true),
});
type Item = typeof item extends fc.Arbitrary<infer T> ? T : never;

function bytesOf({ type: kind, size, linkName, hasAttribute, ...rest }: Item, number: number): Buffer {
  const isLink = kind === "symlink" || kind === "hardlink";
  const length = kind === "file" ? size : 0;
  const entry: TarEntry = {
    ...rest,
    type: kind,
    name: Buffer.from(rest.name),
    linkName: Buffer.from(isLink ? linkName : ""),
    size: length,
    gid: 0,
    mtime: { sec: 1000 + number, nsec: 0 },
    major: 0,
    minor: 0,
    xattrs: new Map(hasAttribute && kind === "file" ? [["user.x", Buffer.from("y")]] : []),
  };
  return Buffer.concat([tarHeader(entry), Buffer.alloc(length, `${number} `), tarPadding(length)]);
}

/** Applies an archive to what is in the directory. False where it is refused. */
function apply(root: string, entries: Buffer[]): boolean {
  const fd = openHostDirectory(root);
  const applier = new LayerApplier(fd, { mode: "rootfs" });
  try {
    const reader = new TarReader(applier);
    for (const entry of entries) reader.write(entry);
    reader.write(END_OF_ARCHIVE);
    reader.finish();
    applier.finish();
    return true;
  } catch {
    return false;
  } finally {
    applier.close();
    close(fd);
  }
}

/** All that there is, but the times of directories, which files that come later change. */
function listing(root: string, path = "."): string[] {
  const at = join(root, path);
  const { mode, uid, nlink, mtimeMs } = lstatSync(at);
  const about = `${path} ${mode.toString(8)} ${uid}`;
  const kind = mode & 0o170000;
  if (kind === 0o040000)
    return [
      about,
      ...readdirSync(at)
        .sort()
        .flatMap((sub) => listing(root, join(path, sub))),
    ];
  const content = kind === 0o100000 ? Bun.hash(readFileSync(at)) : kind === 0o120000 ? readlinkSync(at) : "";
  return [`${about} ${nlink} ${mtimeMs} ${content}`];
}

test("an archive gives what its entries give one by one", () => {
  const directory = mkdtempSync(join(tmpdir(), "bocker-order-"));
  let compared = 0;
  try {
    fc.assert(
      fc.property(fc.array(item, { minLength: 100, maxLength: 300 }), (items) => {
        const [single, whole] = ["single", "whole"].map((sub) => join(directory, sub)) as [string, string];
        for (const root of [single, whole]) {
          rmSync(root, { recursive: true, force: true });
          mkdirSync(root);
        }
        // Those that are refused leave what they found, or at least what was in their way is gone in both.
        const entries = items.map(bytesOf).filter((entry) => apply(single, [entry]));
        rmSync(single, { recursive: true });
        mkdirSync(single);
        for (const entry of entries) if (!apply(single, [entry])) return;
        expect(apply(whole, entries)).toBe(true);
        expect(listing(whole)).toEqual(listing(single));
        compared++;
      }),
      { numRuns: 15, endOnFailure: true },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
  expect(compared).toBeGreaterThan(3);
}, 120_000);
