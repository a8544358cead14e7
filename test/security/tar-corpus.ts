/** The tar corpus of security.md, section E: archives that once led out of somebody's root. */
import { expect } from "bun:test";
import { lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { BREAKOUTS, type CorpusRow, text } from "./tar-breakouts.ts";
import { archive, base256, dir, entry, file, hardlink, pax, record, symlink } from "./tar-bytes.ts";

const many = (count: number, make: (at: number) => Buffer) =>
  Array.from({ length: count }, (_, at) => make(at));

const longLink = (type: string, declared: number) => entry("././@LongLink", "", { type, size: declared });

const OWN: CorpusRow[] = [
  {
    id: 37,
    name: "the root itself as a link, CVE-2021-29136",
    bytes: archive(symlink("./", "/tmp/x"), file("./evil")),
    outcome: "inside",
  },
  {
    id: 38,
    name: "a path through a link to itself's directory, a thousand times",
    bytes: archive(symlink("x", "."), pax({ path: `${"x/".repeat(1900)}f` }), file("short")),
    outcome: "inside",
  },
  {
    id: 39,
    name: "a chain of 41 links",
    bytes: archive(...many(41, (at) => symlink(`l${at}`, `l${at + 1}`)), file("l0/x")),
    outcome: "refused",
  },
  {
    id: 40,
    name: "a name of 4097 bytes",
    bytes: archive(pax({ path: `${"n/".repeat(2048)}x` }), file("short")),
    outcome: "inside",
  },
  {
    id: 40,
    name: "a component of 256 bytes",
    bytes: archive(pax({ path: "n".repeat(256) }), file("short")),
    outcome: "refused",
  },
  {
    id: 41,
    name: "a NUL in an extended path",
    bytes: archive(pax({ path: "a\0b" }), file("short")),
    outcome: "refused",
  },
  {
    id: 42,
    name: "an extended path that differs from the header's",
    bytes: archive(pax({ path: "real" }), file("shown")),
    outcome: (root) => expect(readdirSync(root)).toEqual(["real"]),
  },
  ...["-1", "9223372036854775808", "1e3", " 7", "0x7"].map(
    (size): CorpusRow => ({
      id: 43,
      name: `an extended size of ${JSON.stringify(size)}`,
      bytes: archive(pax({ size }), file("f")),
      outcome: "refused",
    }),
  ),
  {
    id: 43,
    name: "an extended size that differs from the header's",
    bytes: archive(pax({ size: "3" }), file("f", "abc", { size: 0 })),
    outcome: (root) => expect(text(root, "f")).toBe("abc"),
  },
  {
    id: 44,
    name: "a long name that announces a gigabyte",
    bytes: archive(longLink("L", 2 ** 30), file("f")),
    outcome: "refused",
  },
  {
    id: 44,
    name: "a long link that announces a gigabyte",
    bytes: archive(longLink("K", 2 ** 30), file("f")),
    outcome: "refused",
  },
  {
    id: 45,
    name: "an extended header of two megabytes",
    bytes: () => archive(pax({ comment: "x".repeat(2 << 20) }), file("f")),
    outcome: "refused",
  },
  {
    id: 46,
    name: "a global header with a path",
    bytes: archive(pax({ path: "/etc/evil" }, "g"), file("f")),
    outcome: (root) => expect(readdirSync(root)).toEqual(["f"]),
  },
  {
    id: 47,
    name: "a map of holes with a thousand million entries, CVE-2025-58183",
    bytes: archive(
      pax({
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "f",
        "GNU.sparse.realsize": "10",
      }),
      file("f", "1000000000\n"),
    ),
    outcome: "refused",
  },
  {
    id: 48,
    name: "64 MB of zeros behind the end, CVE-2017-14992",
    bytes: () => Buffer.concat([archive(file("f")), Buffer.alloc(64 << 20)]),
    outcome: (root) => expect(readdirSync(root)).toEqual(["f"]),
  },
  {
    id: 49,
    name: "one name as file, directory, link, file",
    bytes: archive(file("n", "1"), dir("n"), symlink("n", "/etc"), file("n", "4")),
    outcome: (root) => expect(text(root, "n")).toBe("4"),
  },
  {
    id: 50,
    name: "a hard link to a later entry",
    bytes: archive(hardlink("a", "b"), file("b")),
    outcome: "refused",
  },
  { id: 50, name: "a hard link to itself", bytes: archive(hardlink("a", "a")), outcome: "refused" },
  {
    id: 50,
    name: "a hard link to a directory",
    bytes: archive(dir("d"), hardlink("a", "d")),
    outcome: "refused",
  },
  {
    id: 51,
    name: "a disk, a device, a pipe",
    bytes: archive(
      entry("disk", "", { type: "4", major: 8 }),
      entry("mem", "", { type: "3", major: 1, minor: 1 }),
      entry("pipe", "", { type: "6" }),
    ),
    outcome: (root) =>
      expect(["disk", "mem", "pipe"].map((name) => lstatSync(join(root, name)).mode >> 12)).toEqual([
        6, 2, 1,
      ]),
  },
  {
    id: 52,
    name: "set-user-id and a capability",
    bytes: archive(
      pax({
        "SCHILY.xattr.security.capability": Buffer.from("0100000200040000000000000000000000000000", "hex"),
      }),
      file("f", "x", { mode: 0o4755 }),
    ),
    outcome: (root) => expect(statSync(join(root, "f")).mode & 0o7777).toBe(0o4755),
  },
  {
    id: 53,
    name: "overlayfs's own attributes",
    bytes: archive(
      pax({
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
        "SCHILY.xattr.user.overlay.opaque": "y",
      }),
      dir("d"),
    ),
    outcome: "inside",
  },
  {
    id: 54,
    name: "a character device 0:0",
    bytes: archive(dir("d"), entry("d/x", "", { type: "3" })),
    outcome: "inside",
  },
  {
    id: 55,
    name: "a whiteout and the file it names, in both orders",
    bytes: archive(file(".wh.a", ""), file("a", "1"), file("b", "2"), file(".wh.b", "")),
    outcome: (root) => expect([text(root, "a"), text(root, "b")]).toEqual(["1", "2"]),
  },
  {
    id: 56,
    name: "opaque behind its directory's children",
    bytes: archive(dir("d"), file("d/kept"), file("d/.wh..wh..opq", "")),
    outcome: (root) => expect(text(root, "d/kept")).toBe("content"),
  },
  { id: 57, name: "a whiteout of nothing", bytes: archive(file(".wh.", "")), outcome: "refused" },
  {
    id: 58,
    name: "metadata of aufs",
    bytes: archive(dir(".wh..wh.plnk"), file(".wh..wh.plnk/1.2"), file(".wh..wh.aufs", ""), file("f")),
    outcome: (root) => expect(readdirSync(root)).toEqual(["f"]),
  },
  {
    id: 59,
    name: "a name that is no UTF-8",
    bytes: archive(file(Buffer.from([0xff, 0xfe, 0x61]))),
    outcome: (root) =>
      expect(readdirSync(root, "buffer" as "utf8").map((name) => Buffer.from(name).toString("hex"))).toEqual([
        "fffe61",
      ]),
  },
  ...[2 ** 21, 2 ** 31 - 2, 2 ** 32 - 2].map(
    (uid): CorpusRow => ({
      id: 60,
      name: `owner ${uid}`,
      bytes: archive(pax({ uid: String(uid), gid: String(uid) }), file("f")),
      outcome: (root) =>
        expect([lstatSync(join(root, "f")).uid, lstatSync(join(root, "f")).gid]).toEqual([uid, uid]),
    }),
  ),
  {
    id: 60,
    name: "an owner beyond all",
    bytes: archive(pax({ uid: String(2 ** 32) }), file("f")),
    outcome: "refused",
  },
  ...[
    ["1000000000.123456789", 1000000000123456789n],
    ["-86400.5", -86400500000000n],
    ["16725225600", 16725225600000000000n],
  ].map(
    ([mtime, ns]): CorpusRow => ({
      id: 61,
      name: `time ${mtime}`,
      bytes: archive(pax({ mtime: String(mtime) }), file("f")),
      outcome: (root) => {
        // ext4 ends in 2446.
        const found = lstatSync(join(root, "f"), { bigint: true }).mtimeNs;
        if ((ns as bigint) < 15032385535n * 1000000000n) expect(found).toBe(ns as bigint);
      },
    }),
  ),
  {
    id: 62,
    name: "a size in base 256 that the archive does not have",
    bytes: archive(file("f", "x", { size: base256(10n * 2n ** 30n, 12) })),
    outcome: "refused",
  },
  {
    id: 62,
    name: "a size in base 256",
    bytes: archive(file("f", "abc", { size: base256(3n, 12) })),
    outcome: (root) => expect(text(root, "f")).toBe("abc"),
  },
  {
    id: 66,
    name: "ten thousand directories, each in the one before",
    bytes: () =>
      archive(
        ...many(300, (at) => pax({ path: `${"d/".repeat(at + 1)}` })).flatMap((header) => [header, dir("d")]),
      ),
    outcome: (root) => expect(statSync(join(root, "d/".repeat(300))).isDirectory()).toBe(true),
  },
  { id: 69, name: "a wrong checksum", bytes: archive(file("f", "x", { checksum: 1 })), outcome: "refused" },
  {
    id: 70,
    name: "names that differ in case or composition only",
    bytes: archive(file("a"), file("A"), file("\u00e9"), file("e\u0301")),
    outcome: (root) => expect(readdirSync(root).length).toBe(4),
  },
];

/** An extended header whose length lies. */
const LYING = [
  record("path", "x"),
  Buffer.from("99999 path=y\n"),
  Buffer.from("5 a=\n"),
  Buffer.from("0 a=b\n"),
  Buffer.from("11 path=evil"),
].map(
  (bytes, at): CorpusRow => ({
    id: 43,
    name: `an extended record that lies about its length (${at})`,
    bytes: archive(entry("PaxHeader", bytes, { type: "x" }), file("f")),
    outcome: "inside",
  }),
);

export const CORPUS: CorpusRow[] = [
  ...BREAKOUTS.map((row, at) => ({ ...row, id: at + 1 })),
  ...OWN,
  ...LYING,
];
