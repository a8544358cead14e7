import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { TarEntry } from "./tar-entry.ts";
import { paxTime } from "./tar-pax.ts";
import { TarReader } from "./tar-reader.ts";
import { END_OF_ARCHIVE, paxTimeText, tarHeader, tarPadding } from "./tar-writer.ts";

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "bocker-tar-"));
});

afterAll(() => rmSync(directory, { recursive: true }));

interface Read {
  entry: TarEntry;
  content: Buffer;
}

/** All entries with their contents (holes as zeros), the archive given in pieces of `step` bytes. */
function readAll(archive: Buffer, step = archive.length): Read[] {
  const entries: Read[] = [];
  const reader = new TarReader({
    entry: (entry) => entries.push({ entry, content: Buffer.alloc(Math.min(entry.size, 1 << 22)) }),
    data: (bytes, position) => bytes.copy(entries.at(-1)!.content, position),
    end: () => undefined,
  });
  for (let at = 0; at < archive.length; at += step) reader.write(archive.subarray(at, at + step));
  reader.finish();
  return entries;
}

function python(script: string): Buffer {
  const out = join(directory, "python.tar");
  const prelude = `import tarfile, io\nout = ${JSON.stringify(out)}\n`;
  execFileSync("python3", ["-c", prelude + script]);
  return readFileSync(out);
}

function gnuTar(root: string, ...options: string[]): Buffer {
  return execFileSync("tar", ["-C", root, ...options, "-cf", "-", "."], { maxBuffer: 1 << 28 });
}

const base: TarEntry = {
  type: "file",
  name: Buffer.from("name"),
  linkName: Buffer.alloc(0),
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: { sec: 0, nsec: 0 },
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

function archiveOf(...entries: [TarEntry, Buffer?][]): Buffer {
  const parts = entries.flatMap(([entry, content = Buffer.alloc(0)]) => [
    tarHeader(entry),
    content,
    tarPadding(content.length),
  ]);
  return Buffer.concat([...parts, END_OF_ARCHIVE]);
}

test.each(["v7", "oldgnu", "gnu", "ustar", "posix"])("GNU tar's %s format is read", (format) => {
  const root = mkdtempSync(join(directory, "gnu-"));
  writeFileSync(join(root, "file"), "hello\n");
  writeFileSync(join(root, "empty"), "");
  mkdirSync(join(root, "dir"));
  execFileSync("ln", ["-s", "file", join(root, "link")]);
  execFileSync("ln", [join(root, "file"), join(root, "zhard")]);
  execFileSync("touch", ["-d", "2001-02-03 04:05:06.123456789 UTC", join(root, "file")]);
  for (const step of [1, 7, 512, 1 << 20]) {
    const entries = readAll(gnuTar(root, `--format=${format}`, "--sort=name"), step);
    expect(entries.map(({ entry }) => `${entry.type} ${entry.name}`)).toEqual([
      "directory ./",
      "directory ./dir/",
      "file ./empty",
      "file ./file",
      "symlink ./link",
      "hardlink ./zhard",
    ]);
    expect(entries[3]!.content.toString()).toBe("hello\n");
    expect(entries[3]!.entry.mtime).toEqual({ sec: 981173106, nsec: format === "posix" ? 123456789 : 0 });
    expect(entries[4]!.entry.linkName.toString()).toBe("file");
    expect(entries[5]!.entry.linkName.toString()).toBe("./file");
  }
});

test.each(["gnu", "posix"])("long and Latin-1 names survive in %s format", (format) => {
  const root = mkdtempSync(join(directory, "names-"));
  const long = `${"d".repeat(200)}/${"e".repeat(200)}`;
  mkdirSync(join(root, long), { recursive: true });
  const latin = Buffer.concat([Buffer.from(`${root}/caf`), Buffer.from([0xe9])]);
  writeFileSync(latin, "x");
  execFileSync("ln", ["-s", "t".repeat(300), join(root, "link")]);
  const names = readAll(gnuTar(root, `--format=${format}`)).map(({ entry }) => entry);
  const find = (name: string) => names.find((entry) => entry.name.toString("latin1") === name);
  expect(find(`./${long}/`)?.type).toBe("directory");
  expect(find("./café")?.type).toBe("file");
  expect(find("./link")?.linkName.length).toBe(300);
});

test.each([
  "--format=oldgnu",
  "--format=posix --sparse-version=0.0",
  "--format=posix --sparse-version=0.1",
  "--format=posix --sparse-version=1.0",
])("sparse files of %s have their data in place", (options) => {
  const root = mkdtempSync(join(directory, "sparse-"));
  // More than four and more than 21 extents, and a hole at the end.
  const script = `f=open(${JSON.stringify(join(root, "s"))},"wb")
for i in range(40):
  f.seek(i*65536); f.write(b"%04d"%i)
f.truncate(40*65536)`;
  execFileSync("python3", ["-c", script]);
  for (const step of [511, 1 << 20]) {
    const entries = readAll(gnuTar(root, "--sparse", ...options.split(" ")), step);
    const { entry, content } = entries.find((read) => read.entry.type === "file")!;
    expect(entry.name.toString()).toBe("./s");
    expect(entry.size).toBe(40 * 65536);
    expect(entry.extents!.length).toBeGreaterThan(30);
    expect(content.equals(readFileSync(join(root, "s")))).toBe(true);
  }
});

test("extended attributes, devices and large owners are read", () => {
  const archive = python(`
t = tarfile.open(out, "w", format=tarfile.PAX_FORMAT)
i = tarfile.TarInfo("dev"); i.type = tarfile.CHRTYPE; i.devmajor = 1; i.devminor = 3; t.addfile(i)
i = tarfile.TarInfo("blk"); i.type = tarfile.BLKTYPE; i.devmajor = 8; i.devminor = 1; t.addfile(i)
i = tarfile.TarInfo("fifo"); i.type = tarfile.FIFOTYPE; t.addfile(i)
i = tarfile.TarInfo("x"); i.uid = 2**32 - 2; i.gid = 2**21; i.mtime = -1.5
i.pax_headers = {"SCHILY.xattr.user.a": "v=1\\n", "LIBARCHIVE.xattr.user.b%20c": "aGk"}
t.addfile(i)
t.close()`);
  const entries = readAll(archive, 100).map(({ entry }) => entry);
  expect(entries.map((entry) => [entry.type, entry.major, entry.minor])).toEqual([
    ["character", 1, 3],
    ["block", 8, 1],
    ["fifo", 0, 0],
    ["file", 0, 0],
  ]);
  const last = entries[3]!;
  expect([last.uid, last.gid]).toEqual([2 ** 32 - 2, 2 ** 21]);
  expect(last.mtime).toEqual({ sec: -2, nsec: 500000000 });
  expect([...last.xattrs].map(([name, value]) => [name, value.toString()])).toEqual([
    ["user.a", "v=1\n"],
    ["user.b c", "hi"],
  ]);
});

test("base-256 owners and times of GNU headers are read", () => {
  const archive = python(`
t = tarfile.open(out, "w", format=tarfile.GNU_FORMAT)
i = tarfile.TarInfo("x"); i.uid = 2**31; i.gid = 2**32 - 2; i.mtime = -5; t.addfile(i)
i = tarfile.TarInfo("y"); i.mtime = 2**34; t.addfile(i)
t.close()`);
  const [x, y] = readAll(archive);
  expect([x!.entry.uid, x!.entry.gid, x!.entry.mtime.sec]).toEqual([2 ** 31, 2 ** 32 - 2, -5]);
  expect(y!.entry.mtime.sec).toBe(2 ** 34);
});

test("a signed checksum is accepted, a wrong one is not", () => {
  const archive = archiveOf([{ ...base, name: Buffer.from("plain") }]);
  archive[10] = 0xe9;
  let sum = 8 * 32;
  for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += (archive[i]! << 24) >> 24;
  archive.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  expect(readAll(archive)[0]!.entry.name[10]).toBeUndefined();
  archive[0] = 0x71;
  expect(() => readAll(archive)).toThrow("checksum is wrong");
});

test("global headers change nothing, extended ones the next entry only", () => {
  const archive = python(`
t = tarfile.open(out, "w", format=tarfile.PAX_FORMAT, pax_headers={"path": "evil", "comment": "c"})
t.addfile(tarfile.TarInfo("a")); i = tarfile.TarInfo("b"); i.pax_headers = {"mtime": "5.25"}; t.addfile(i)
t.addfile(tarfile.TarInfo("c"))
t.close()`);
  const entries = readAll(archive).map(({ entry }) => entry);
  expect(entries.map((entry) => entry.name.toString())).toEqual(["a", "b", "c"]);
  expect(entries.map((entry) => entry.mtime.nsec)).toEqual([0, 250000000, 0]);
});

const file = (name: string, size: number) => archiveOf([{ ...base, name: Buffer.from(name), size }]);

/** `archive` with an extended header of these raw bytes in front. */
function withPax(records: Buffer | string, archive = file("x", 0)): Buffer {
  const body = Buffer.from(records as string);
  const header = tarHeader({ ...base, size: body.length });
  header[156] = "x".charCodeAt(0);
  return Buffer.concat([rechecked(header), body, tarPadding(body.length), archive]);
}

function rechecked(header: Buffer): Buffer {
  header.fill(0x20, 148, 156);
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

const record = (text: string) => {
  let length = text.length + 3;
  while (`${length} ${text}\n`.length !== length) length++;
  return `${length} ${text}\n`;
};

test.each([
  ["a cut file", file("x", 100).subarray(0, 512), "unexpected end"],
  ["9 GiB that are not there", file("x", 9 * 2 ** 30), "lone zero block|unexpected end"],
  ["half a header", file("x", 0).subarray(0, 200), "unexpected end"],
  ["nothing behind an extended header", withPax(record("mtime=1"), Buffer.alloc(0)), "unexpected end"],
  ["a size that is no number", withPax(record("size=1e3")), "is not a size"],
  ["a size with a space", withPax(record("size= 1")), "is not a size"],
  ["a negative size", withPax(record("size=-1")), "is not a size"],
  ["a size of 2^63", withPax(record("size=9223372036854775808")), "is not a size"],
  ["a NUL in a path", withPax(record("path=a\0b")), "NUL"],
  ["a record that is too long", withPax("99 path=a\n"), "malformed"],
  ["a record without a length", withPax("path=a\n"), "no length|is not a size"],
  ["a record without a key", withPax("5 =a\n"), "malformed"],
  ["an owner beyond 32 bits", withPax(record("uid=4294967295")), "out of range"],
  ["a name of 4096 bytes", withPax(record(`path=${"a".repeat(4096)}`)), "longer than 4095"],
  [
    "an endless sparse map",
    withPax(
      record("GNU.sparse.major=1") + record("GNU.sparse.minor=0"),
      archiveOf([{ ...base, size: 512 }, Buffer.from("1000000000\n".padEnd(512, "0"))]),
    ),
    "longer than its file|malformed|unexpected|checksum",
  ],
  [
    "a sparse map out of order",
    withPax(record("GNU.sparse.map=5,1,0,1") + record("GNU.sparse.size=9"), file("x", 2)),
    "not in order",
  ],
  [
    "a sparse map without its data",
    withPax(record("GNU.sparse.map=0,1,5,2") + record("GNU.sparse.size=9"), file("x", 2)),
    "does not match",
  ],
  [
    "a sparse map behind the end",
    withPax(record("GNU.sparse.map=0,1,8,2") + record("GNU.sparse.size=9"), file("x", 3)),
    "behind the end",
  ],
])("%s is corrupt", (_name, archive, message) => {
  for (const step of [archive.length, 3]) expect(() => readAll(archive, step)).toThrow(new RegExp(message));
});

test("a header that announces a gigabyte of name is refused before it is read", () => {
  for (const flag of "LKxg") {
    const header = tarHeader({ ...base, size: 2 ** 30 });
    header[156] = flag.charCodeAt(0);
    expect(() => readAll(rechecked(header))).toThrow("larger than 1 MiB");
  }
});

test("what follows the end is ignored, the end itself may be missing", () => {
  const archive = file("x", 0);
  expect(readAll(Buffer.concat([archive, Buffer.alloc(10240), Buffer.from("garbage")])).length).toBe(1);
  expect(readAll(archive.subarray(0, 512)).length).toBe(1);
  expect(readAll(Buffer.alloc(0)).length).toBe(0);
});

test("times keep their sign and nanoseconds in text", () => {
  for (const [text, sec, nsec] of [
    ["0", 0, 0],
    ["1.5", 1, 500000000],
    ["-1", -1, 0],
    ["-0.5", -1, 500000000],
    ["-1.25", -2, 750000000],
    ["16725225600.000000001", 16725225600, 1],
  ] as const) {
    expect(paxTime(Buffer.from(text))).toEqual({ sec, nsec });
    expect(paxTimeText({ sec, nsec })).toBe(text);
  }
});

const names = fc
  .uint8Array({ minLength: 1, maxLength: 300 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 ? 1 : byte))));

const anyEntry = fc.record({
  type: fc.constant("file" as const),
  name: names,
  linkName: fc.constant(Buffer.alloc(0)),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 0xfffffffe }),
  gid: fc.integer({ min: 0, max: 0xfffffffe }),
  size: fc.integer({ min: 0, max: 3000 }),
  mtime: fc.record({
    sec: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    nsec: fc.integer({ min: 0, max: 999999999 }),
  }),
  major: fc.constant(0),
  minor: fc.constant(0),
  xattrs: fc
    .array(
      fc.tuple(
        fc.stringMatching(/^user\.[a-z=]{1,9}$/).map((n) => n.replaceAll("=", "")),
        names,
      ),
      { maxLength: 3 },
    )
    .map((pairs) => new Map(pairs.sort(([a], [b]) => (a < b ? -1 : 1)))),
});

test("what is written is read again, in any pieces", () => {
  fc.assert(
    fc.property(fc.array(anyEntry, { maxLength: 5 }), fc.integer({ min: 1, max: 2000 }), (entries, step) => {
      const content = (entry: TarEntry) => Buffer.alloc(entry.size, entry.name);
      const archive = archiveOf(...entries.map((entry): [TarEntry, Buffer] => [entry, content(entry)]));
      const read = readAll(archive, step);
      expect(read.map(({ entry }) => entry)).toEqual(entries);
      for (const item of read) expect(item.content.equals(content(item.entry))).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test("damaged archives end in an error or in entries, never in anything else", () => {
  const archive = archiveOf([{ ...base, name: Buffer.from("ä".repeat(100)), size: 5 }, Buffer.from("hello")]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { maxLength: 4 }), (changes) => {
      const copy = Buffer.from(archive);
      for (const [at, byte] of changes) copy[at] = byte;
      for (const at of [0, 1024]) if (copy[at + 156] !== undefined) rechecked(copy.subarray(at, at + 512));
      try {
        readAll(copy);
      } catch (error) {
        expect((error as { code?: string }).code).toBe("corrupt");
      }
    }),
    { numRuns: 3000 },
  );
});

test("GNU tar and python read what is written", () => {
  const long = Buffer.from(`${"n".repeat(150)}é`);
  const extents = [{ offset: 4096, length: 4 }];
  const archive = archiveOf(
    [{ ...base, name: long, size: 5, mtime: { sec: 7, nsec: 123456789 } }, Buffer.from("hello")],
    [{ ...base, name: Buffer.from("sparse"), size: 1 << 20, extents }, Buffer.from("data")],
    [{ ...base, type: "symlink", name: Buffer.from("link"), linkName: Buffer.from("t".repeat(120)) }],
  );
  const path = join(directory, "written.tar");
  writeFileSync(path, archive);
  const target = mkdtempSync(join(directory, "extract-"));
  execFileSync("tar", ["-C", target, "-xf", path]);
  expect(readFileSync(join(target, long.toString()), "utf8")).toBe("hello");
  const sparse = readFileSync(join(target, "sparse"));
  expect([sparse.length, sparse.toString("utf8", 4096, 4100)]).toEqual([1 << 20, "data"]);
  const listing = execFileSync("python3", [
    "-c",
    `import tarfile
for m in tarfile.open(${JSON.stringify(path)}): print(m.name, m.size, m.mtime, m.linkname)`,
  ]).toString();
  expect(listing.split("\n").slice(0, 3)).toEqual([
    `${long} 5 7.123456789 `,
    `sparse ${1 << 20} 0 `,
    `link 0 0 ${"t".repeat(120)}`,
  ]);
});
