/**
 * PAX extended headers (POSIX.1-2001 pax, "Extended Header"), and what they change in an entry.
 *
 * Promises: malformed records are BockerError("corrupt"); values are bytes, so names survive whatever
 * hdrcharset says (BINARY or UTF-8: both are taken as they are).
 */
import type { Timestamp } from "../../os/metadata.ts";
import type { Extent } from "./tar-entry.ts";
import { corruptTar } from "./tar-header.ts";

export interface PaxHeader {
  path?: Buffer;
  linkPath?: Buffer;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: Timestamp;
  xattrs: Map<string, Buffer>;
  sparse: SparseRecords;
}

/** GNU.sparse.*: 0.0 lists extents as records, 0.1 as one record, 1.0 puts them before the data. */
interface SparseRecords {
  major?: number;
  minor?: number;
  name?: Buffer;
  realSize?: number;
  extents?: Extent[];
}

const EQUALS = 0x3d;
const NEWLINE = 0x0a;
const SCHILY = "SCHILY.xattr.";
const LIBARCHIVE = "LIBARCHIVE.xattr.";

/** A decimal integer of a record: digits only, so that "1e3", " 1" and "-1" mean nothing. */
export function paxInteger(value: Buffer | string): number {
  const text = value.toString("latin1");
  const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw corruptTar(`${JSON.stringify(text.slice(0, 40))} is not a size`);
  return number;
}

/** "-1.5" is a second and a half before 1970; digits behind the ninth are cut. */
export function paxTime(value: Buffer): Timestamp {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value.toString("latin1"));
  if (match === null) throw corruptTar("a time is malformed");
  const sec = Number(match[2]);
  const nsec = Number((match[3] ?? "").padEnd(9, "0").slice(0, 9));
  if (match[1] === "") return { sec, nsec };
  return nsec === 0 ? { sec: -sec || 0, nsec: 0 } : { sec: -sec - 1, nsec: 1e9 - nsec };
}

/** The records "LENGTH KEY=VALUE\n" of an extended header. */
function* paxRecords(bytes: Buffer): Generator<[key: string, value: Buffer]> {
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    if (space < 0 || space - at > 10) throw corruptTar("a PAX record has no length");
    const end = at + paxInteger(bytes.subarray(at, space));
    const equals = bytes.indexOf(EQUALS, space);
    if (
      end > bytes.length ||
      equals < 0 ||
      equals >= end ||
      bytes[end - 1] !== NEWLINE ||
      equals === space + 1
    ) {
      throw corruptTar("a PAX record is malformed");
    }
    yield [bytes.toString("utf8", space + 1, equals), bytes.subarray(equals + 1, end - 1)];
    at = end;
  }
}

/** "%41" and base64 without padding: how libarchive writes attributes. */
function libarchiveName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw corruptTar("the name of an extended attribute is malformed");
  }
}

function withoutNul(value: Buffer): Buffer {
  if (value.includes(0)) throw corruptTar("a name contains a NUL byte");
  return value;
}

/** "offset,length,offset,length" of GNU.sparse.map. */
function parseMap(value: Buffer): Extent[] {
  const numbers = value.length === 0 ? [] : value.toString("latin1").split(",").map(paxInteger);
  if (numbers.length % 2 !== 0) throw corruptTar("a sparse map is malformed");
  const extents: Extent[] = [];
  for (let i = 0; i < numbers.length; i += 2) extents.push({ offset: numbers[i]!, length: numbers[i + 1]! });
  return extents;
}

function addSparseRecord(sparse: SparseRecords, key: string, value: Buffer): void {
  const extents = (): Extent[] => {
    sparse.extents ??= [];
    return sparse.extents;
  };
  if (key === "major") sparse.major = paxInteger(value);
  else if (key === "minor") sparse.minor = paxInteger(value);
  else if (key === "name") sparse.name = withoutNul(value);
  else if (key === "realsize" || key === "size") sparse.realSize = paxInteger(value);
  else if (key === "map") sparse.extents = parseMap(value);
  else if (key === "offset") extents().push({ offset: paxInteger(value), length: -1 });
  else if (key === "numbytes") {
    const last = extents().at(-1);
    if (last === undefined || last.length >= 0) throw corruptTar("a sparse map is malformed");
    last.length = paxInteger(value);
  }
}

/** The meaning of an extended header. Later records win; an empty value takes the override back. */
export function parsePax(bytes: Buffer): PaxHeader {
  const header: PaxHeader = { xattrs: new Map(), sparse: {} };
  for (const [key, value] of paxRecords(bytes)) {
    if (key.startsWith(SCHILY)) {
      header.xattrs.set(withoutNul(Buffer.from(key.slice(SCHILY.length))).toString(), value);
    } else if (key.startsWith(LIBARCHIVE)) {
      const name = libarchiveName(key.slice(LIBARCHIVE.length));
      // Archives of libarchive carry both forms; the plain one is exact.
      if (!header.xattrs.has(name)) header.xattrs.set(name, Buffer.from(value.toString("latin1"), "base64"));
    } else if (key.startsWith("GNU.sparse.")) {
      addSparseRecord(header.sparse, key.slice("GNU.sparse.".length), value);
    } else {
      addRecord(header, key, value);
    }
  }
  return header;
}

function addRecord(header: PaxHeader, key: string, value: Buffer): void {
  const empty = value.length === 0;
  switch (key) {
    case "path":
      if (empty) delete header.path;
      else header.path = withoutNul(value);
      break;
    case "linkpath":
      if (empty) delete header.linkPath;
      else header.linkPath = withoutNul(value);
      break;
    case "size":
      if (empty) delete header.size;
      else header.size = paxInteger(value);
      break;
    case "uid":
      if (empty) delete header.uid;
      else header.uid = paxInteger(value);
      break;
    case "gid":
      if (empty) delete header.gid;
      else header.gid = paxInteger(value);
      break;
    case "mtime":
      if (empty) delete header.mtime;
      else header.mtime = paxTime(value);
      break;
  }
}
