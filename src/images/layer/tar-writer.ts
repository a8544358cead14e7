/**
 * Tar entries as bytes.
 *
 * Promises: the same entry always gives the same bytes; plain ustar where it can say everything, a PAX
 * header in front where it cannot (long or non-ASCII names, large numbers, nanoseconds, extended
 * attributes, holes as GNU sparse 1.0). Every byte of a name and of an attribute survives.
 */
import type { Timestamp } from "../../os/metadata.ts";
import { BLOCK, type Extent, type TarEntry } from "./tar-entry.ts";

/** Two zero blocks. */
export const END_OF_ARCHIVE = Buffer.alloc(2 * BLOCK);

const TYPE_FLAGS: Record<TarEntry["type"], string> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

const OCTAL_7 = 0o7777777;
const OCTAL_11 = 0o77777777777;

/** Zeros that fill the last block of `size` bytes. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

function octal(block: Buffer, value: number, start: number, length: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), start, "latin1");
}

/** One ustar block. Everything that does not fit has been replaced by the caller. */
function ustar(entry: TarEntry, name: Buffer, size: number, typeFlag: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  name.copy(block, 0, 0, 100);
  octal(block, entry.mode, 100, 8);
  octal(block, entry.uid <= OCTAL_7 ? entry.uid : 0, 108, 8);
  octal(block, entry.gid <= OCTAL_7 ? entry.gid : 0, 116, 8);
  octal(block, size <= OCTAL_11 ? size : 0, 124, 12);
  octal(block, inRange(entry.mtime.sec) ? entry.mtime.sec : 0, 136, 12);
  block.fill(0x20, 148, 156);
  block.write(typeFlag, 156, "latin1");
  entry.linkName.copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257, "latin1");
  octal(block, entry.major <= OCTAL_7 ? entry.major : 0, 329, 8);
  octal(block, entry.minor <= OCTAL_7 ? entry.minor : 0, 337, 8);
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += block[i]!;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function inRange(sec: number): boolean {
  return sec >= 0 && sec <= OCTAL_11;
}

function isPlain(bytes: Buffer): boolean {
  return bytes.length <= 100 && bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
}

/** "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
export function paxRecord(key: string, value: Buffer | string): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  const body = Buffer.concat([Buffer.from(` ${key}=`), bytes, Buffer.from("\n")]);
  let length = body.length;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

/** Seconds with the fraction that is needed; before 1970 the fraction counts towards zero. */
export function paxTimeText({ sec, nsec }: Timestamp): string {
  const negative = sec < 0;
  const whole = negative && nsec > 0 ? -sec - 1 : Math.abs(sec);
  const fraction = negative && nsec > 0 ? 1e9 - nsec : nsec;
  const digits = fraction === 0 ? "" : `.${String(fraction).padStart(9, "0").replace(/0+$/, "")}`;
  return `${negative ? "-" : ""}${whole}${digits}`;
}

/** The map of a sparse 1.0 file: decimal lines, filled up to whole blocks. */
function sparseMap(extents: readonly Extent[], size: number): Buffer {
  const last = extents.at(-1);
  const reachesEnd = last !== undefined && last.offset + last.length === size;
  // GNU tar makes the file end where its last extent ends, so a hole there needs an empty one.
  const all = reachesEnd ? extents : [...extents, { offset: size, length: 0 }];
  const lines = [all.length, ...all.flatMap(({ offset, length }) => [offset, length])];
  const text = Buffer.from(`${lines.join("\n")}\n`);
  return Buffer.concat([text, tarPadding(text.length)]);
}

function paxRecordsFor(entry: TarEntry, storedSize: number): Buffer[] {
  const records: Buffer[] = [];
  if (entry.extents !== undefined) {
    records.push(
      paxRecord("GNU.sparse.major", "1"),
      paxRecord("GNU.sparse.minor", "0"),
      paxRecord("GNU.sparse.name", entry.name),
      paxRecord("GNU.sparse.realsize", String(entry.size)),
    );
  } else if (!isPlain(entry.name)) {
    records.push(paxRecord("path", entry.name));
  }
  if (!isPlain(entry.linkName)) records.push(paxRecord("linkpath", entry.linkName));
  if (storedSize > OCTAL_11) records.push(paxRecord("size", String(storedSize)));
  if (entry.uid > OCTAL_7) records.push(paxRecord("uid", String(entry.uid)));
  if (entry.gid > OCTAL_7) records.push(paxRecord("gid", String(entry.gid)));
  if (entry.mtime.nsec !== 0 || !inRange(entry.mtime.sec)) {
    records.push(paxRecord("mtime", paxTimeText(entry.mtime)));
  }
  const names = [...entry.xattrs.keys()].sort();
  for (const name of names) records.push(paxRecord(`SCHILY.xattr.${name}`, entry.xattrs.get(name)!));
  return records;
}

/** Readers without PAX see this instead of a name that does not fit. */
function shortName(name: Buffer): Buffer {
  return isPlain(name)
    ? name
    : Buffer.from(name.subarray(0, 100).map((b) => (b >= 0x20 && b < 0x7f ? b : 0x5f)));
}

/** Bytes of content that follow the header: the data of all extents, or the whole size. */
export function storedDataSize(entry: TarEntry): number {
  if (entry.type !== "file") return 0;
  if (entry.extents === undefined) return entry.size;
  return entry.extents.reduce((total, extent) => total + extent.length, 0);
}

/**
 * Everything that stands before the entry's content, sparse map included. Then follow
 * `storedDataSize(entry)` bytes and `tarPadding` of that number.
 */
export function tarHeader(entry: TarEntry): Buffer {
  const map = entry.extents === undefined ? Buffer.alloc(0) : sparseMap(entry.extents, entry.size);
  const storedSize = storedDataSize(entry) + map.length;
  const records = Buffer.concat(paxRecordsFor(entry, storedSize));
  const name = shortName(entry.name);
  const plain: TarEntry = { ...entry, linkName: shortName(entry.linkName) };
  const parts = [ustar(plain, name, storedSize, TYPE_FLAGS[entry.type]), map];
  if (records.length > 0) {
    const pax: TarEntry = {
      ...plain,
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: { sec: 0, nsec: 0 },
      linkName: Buffer.alloc(0),
      major: 0,
      minor: 0,
    };
    const paxName = Buffer.from(`PaxHeaders.0/${name.toString("latin1").slice(0, 80)}`, "latin1");
    parts.unshift(ustar(pax, paxName, records.length, "x"), records, tarPadding(records.length));
  }
  return Buffer.concat(parts);
}
