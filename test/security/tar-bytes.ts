/** Tar archives byte by byte, also such as no program would write. */
import { Buffer } from "node:buffer";

const BLOCK = 512;

export interface Header {
  type?: string;
  link?: string | Buffer;
  mode?: number;
  uid?: number;
  gid?: number;
  /** What the header says; the content's length if left out. */
  size?: number | string | Buffer;
  mtime?: string;
  major?: number;
  minor?: number;
  prefix?: string;
  magic?: string;
  checksum?: number;
}

function field(block: Buffer, at: number, length: number, value: string | Buffer): void {
  Buffer.from(typeof value === "string" ? Buffer.from(value, "latin1") : value).copy(block, at, 0, length);
}

const octal = (value: number, length: number) =>
  value
    .toString(8)
    .padStart(length - 1, "0")
    .slice(-(length - 1));

export function entry(name: string | Buffer, content: string | Buffer = "", header: Header = {}): Buffer {
  const bytes = Buffer.from(content as string);
  const block = Buffer.alloc(BLOCK);
  field(block, 0, 100, name);
  field(block, 100, 8, octal(header.mode ?? 0o644, 8));
  field(block, 108, 8, octal(header.uid ?? 0, 8));
  field(block, 116, 8, octal(header.gid ?? 0, 8));
  const size = header.size ?? bytes.length;
  field(block, 124, 12, typeof size === "number" ? octal(size, 12) : size);
  field(block, 136, 12, header.mtime ?? octal(1000, 12));
  field(block, 156, 1, header.type ?? "0");
  field(block, 157, 100, header.link ?? "");
  field(block, 257, 8, header.magic ?? "ustar\0" + "00");
  field(block, 329, 8, octal(header.major ?? 0, 8));
  field(block, 337, 8, octal(header.minor ?? 0, 8));
  field(block, 345, 155, header.prefix ?? "");
  field(block, 148, 8, "        ");
  const sum = header.checksum ?? block.reduce((total, byte) => total + byte, 0);
  field(block, 148, 8, `${sum.toString(8).padStart(6, "0")}\0 `);
  return Buffer.concat([block, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

export const file = (name: string | Buffer, content = "content", header: Header = {}) =>
  entry(name, content, header);
export const dir = (name: string, header: Header = {}) =>
  entry(name, "", { type: "5", mode: 0o755, ...header });
export const symlink = (name: string | Buffer, link: string) =>
  entry(name, "", { type: "2", link, mode: 0o777 });
export const hardlink = (name: string, link: string) => entry(name, "", { type: "1", link });

/** One record of an extended header: its own length is part of it. */
export function record(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

export function pax(records: Record<string, string | Buffer>, type = "x"): Buffer {
  const bytes = Buffer.concat(Object.entries(records).map(([key, value]) => record(key, value)));
  return entry("PaxHeader", bytes, { type });
}

/** Base-256, as GNU tar writes what octal digits cannot hold. */
export function base256(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let left = value;
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = Number(left & 255n);
    left >>= 8n;
  }
  bytes[0]! |= 0x80;
  return bytes;
}

export const archive = (...entries: Buffer[]) => Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]);
