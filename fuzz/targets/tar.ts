/** The tar reader and what it is for: archives that become files below a directory, and nowhere else. */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LayerApplier } from "../../src/images/layer/apply.ts";
import { openHostDirectory } from "../../src/images/layer/layer-root.ts";
import type { TarEntry } from "../../src/images/layer/tar-entry.ts";
import { TarReader } from "../../src/images/layer/tar-reader.ts";
import { END_OF_ARCHIVE, paxRecord, tarHeader, tarPadding } from "../../src/images/layer/tar-writer.ts";
import { close } from "../../src/os/files.ts";
import { emptyDirectory } from "../../src/os/remove-tree.ts";
import { Finding, type Target } from "../target.ts";

const BLOCK = 512;
const CHECKSUM_AT = 148;
const MAGIC_AT = 257;

function entry(type: TarEntry["type"], name: string, more: Partial<TarEntry> = {}, content = ""): Buffer {
  const described: TarEntry = {
    type,
    name: Buffer.from(name),
    linkName: Buffer.alloc(0),
    mode: type === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size: content.length,
    mtime: { sec: 1000, nsec: 0 },
    major: 0,
    minor: 0,
    xattrs: new Map(),
    ...more,
  };
  return Buffer.concat([tarHeader(described), Buffer.from(content), tarPadding(content.length)]);
}

const link = (type: "symlink" | "hardlink", name: string, target: string) =>
  entry(type, name, { linkName: Buffer.from(target) });
const archive = (...entries: Buffer[]) => Buffer.concat([...entries, END_OF_ARCHIVE]);
/** A header of a kind that only others write, with its content. */
const extra = (flag: string, content: Buffer) => {
  const header = entry("file", "././@LongLink", { size: content.length });
  header.write(flag, 156, "latin1");
  return Buffer.concat([header.subarray(0, BLOCK), content, tarPadding(content.length)]);
};

const SEEDS = [
  archive(
    entry("directory", "a/"),
    entry("file", "a/b", {}, "content"),
    link("symlink", "a/c", "../../outside"),
    entry("file", "a/c/d", {}, "x"),
  ),
  archive(
    entry(
      "file",
      "f",
      { xattrs: new Map([["user.a", Buffer.from("b")]]), mtime: { sec: 1000, nsec: 5 } },
      "12345",
    ),
    link("hardlink", "g", "f"),
    link("hardlink", "h", "../outside/canary"),
  ),
  archive(entry("file", "../outside/canary", {}, "dead"), entry("file", "/etc/passwd", {}, "dead")),
  archive(
    entry("directory", "d"),
    entry("file", "d/.wh.x"),
    entry("file", "d/.wh..wh..opq"),
    entry("file", ".wh.d"),
    entry("fifo", "p"),
  ),
  archive(
    extra("L", Buffer.from(`${"long/".repeat(30)}name\0`)),
    entry("file", "short", {}, "x"),
    extra("K", Buffer.from("/outside\0")),
    link("symlink", "s", "t"),
  ),
  archive(
    extra(
      "x",
      Buffer.concat([
        paxRecord("path", "pax/name"),
        paxRecord("size", "3"),
        paxRecord("mtime", "1.5"),
        paxRecord("uid", "7"),
      ]),
    ),
    entry("file", "y", { size: 3 }, "abc"),
  ),
  archive(
    extra("g", paxRecord("comment", "c")),
    entry("file", "sparse", { size: 4096, extents: [{ offset: 1024, length: 5 }] }, ""),
  ).fill("z", 2048, 2053),
];

/** Beside the directory that is written to lies what may not change. */
class Place {
  readonly top = mkdtempSync(join(tmpdir(), "bocker-fuzz-tar-"));
  readonly root: number;

  constructor() {
    mkdirSync(join(this.top, "layer"));
    mkdirSync(join(this.top, "outside"));
    writeFileSync(join(this.top, "outside/canary"), "alive");
    this.root = openHostDirectory(join(this.top, "layer"));
  }

  check(): void {
    const canary = join(this.top, "outside/canary");
    const seen = [
      readdirSync(this.top).sort(),
      readdirSync(join(this.top, "outside")),
      readFileSync(canary, "utf8"),
      lstatSync(canary).nlink,
      lstatSync(canary).mode & 0o7777,
    ];
    if (JSON.stringify(seen) !== '[["layer","outside"],["canary"],"alive",1,420]')
      throw new Finding(`outside of the layer: ${JSON.stringify(seen)}`);
  }
}

let place: Place | undefined;

/** Headers get a right checksum again, or most inputs end with the first of them. */
function withChecksums(input: Buffer): Buffer {
  const result = Buffer.from(input);
  for (let at = 0; at + BLOCK <= result.length; at += BLOCK) {
    if (result.toString("latin1", at + MAGIC_AT, at + MAGIC_AT + 5) !== "ustar") continue;
    result.fill(" ", at + CHECKSUM_AT, at + CHECKSUM_AT + 8);
    const sum = result.subarray(at, at + BLOCK).reduce((total, byte) => total + byte, 0);
    result.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + CHECKSUM_AT, "latin1");
  }
  return result;
}

/** How many entries there were, of which types. */
function extract(input: Buffer, root: number): string {
  const applier = new LayerApplier(root, { mode: (input.length >> 9) % 2 === 0 ? "layer" : "rootfs" });
  const types = new Set<string>();
  const reader = new TarReader({
    entry: (described) => {
      types.add(described.type);
      applier.entry(described);
    },
    data: (bytes, position) => applier.data(bytes, position),
    end: () => applier.end(),
  });
  // In pieces that end anywhere: they come from a network.
  const piece = 1 + (input.length % 700);
  try {
    for (let at = 0; at < input.length; at += piece) reader.write(input.subarray(at, at + piece));
    reader.finish();
    applier.finish();
  } finally {
    applier.close();
  }
  return [...types].join();
}

export const tar: Target = {
  name: "tar",
  seeds: SEEDS,
  codes: ["corrupt", "invalid", "unsupported", "denied", "no-space"],
  repair: withChecksums,
  run(input) {
    place ??= new Place();
    try {
      return extract(input, place.root);
    } finally {
      place.check();
      emptyDirectory(place.root);
    }
  },
  close: () => {
    if (place === undefined) return;
    close(place.root);
    rmSync(place.top, { recursive: true, force: true });
    place = undefined;
  },
};

/** The reader alone: many more inputs in the same time. */
export const tarReader: Target = {
  name: "tar-reader",
  seeds: SEEDS,
  codes: tar.codes,
  repair: withChecksums,
  run(input) {
    let bytes = 0;
    const types = new Set<string>();
    const reader = new TarReader({
      entry: ({ type }) => types.add(type),
      data: (chunk, position) => {
        if (!Number.isSafeInteger(position) || position < 0) throw new Finding(`data at ${position}`);
        bytes += chunk.length;
      },
      end: () => undefined,
    });
    reader.write(input);
    reader.finish();
    if (bytes > input.length) throw new Finding(`${bytes} bytes of an archive of ${input.length}`);
    return [...types].join();
  },
};
