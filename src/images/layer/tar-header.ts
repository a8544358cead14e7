/**
 * One 512-byte header block: v7, ustar, star and GNU.
 *
 * Promises: a block whose checksum (signed or unsigned) is wrong, or whose numbers are malformed or
 * beyond 2^53, is BockerError("corrupt"). Rules as in Go's archive/tar, which Docker uses.
 */
import { BockerError } from "../../base/errors.ts";
import { BLOCK, type Extent } from "./tar-entry.ts";

export interface TarHeader {
  /** The character of the type flag; "\0" for v7. */
  typeFlag: string;
  name: Buffer;
  linkName: Buffer;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtimeSec: number;
  major: number;
  minor: number;
  isGnu: boolean;
}

export function corruptTar(what: string): BockerError {
  return new BockerError("corrupt", `invalid tar archive: ${what}`);
}

const SPACE = 0x20;

/** The bytes of a field up to its first NUL, copied: the block's memory is used again. */
function text(block: Buffer, start: number, length: number): Buffer {
  const end = block.indexOf(0, start);
  const limit = start + length;
  return Buffer.from(block.subarray(start, end >= 0 && end < limit ? end : limit));
}

/** Two's complement, most significant byte first; the top bit of the first byte only says so. */
function base256(block: Buffer, start: number, length: number): number {
  const negative = (block[start]! & 0x40) !== 0;
  let value = BigInt(negative ? block[start]! - 0x100 : block[start]! & 0x7f);
  for (let i = 1; i < length; i++) value = value * 256n + BigInt(block[start + i]!);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw corruptTar("a number is too large");
  return number;
}

/** A number field: octal text between spaces or NULs, or base-256. Empty is 0. */
export function numberField(block: Buffer, start: number, length: number): number {
  if (block[start]! & 0x80) return base256(block, start, length);
  let at = start;
  let end = start + length;
  while (at < end && (block[at] === SPACE || block[at] === 0)) at++;
  while (end > at && (block[end - 1] === SPACE || block[end - 1] === 0)) end--;
  let value = 0;
  for (; at < end && block[at] !== 0; at++) {
    const digit = block[at]! - 0x30;
    if (digit < 0 || digit > 7) throw corruptTar("a number is not octal");
    value = value * 8 + digit;
  }
  return value;
}

/** True for a block of zeros, two of which end an archive. */
export function isZeroBlock(block: Buffer): boolean {
  for (let i = 0; i < BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

function verifyChecksum(block: Buffer): void {
  let unsigned = 8 * SPACE;
  let high = 0;
  for (let i = 0; i < BLOCK; i++) {
    // The checksum's own field counts as spaces.
    if (i === 148) i = 156;
    const byte = block[i]!;
    unsigned += byte;
    if (byte >= 0x80) high++;
  }
  const stored = numberField(block, 148, 8);
  // Historic tars summed signed characters.
  if (stored !== unsigned && stored !== unsigned - 256 * high)
    throw corruptTar("a header's checksum is wrong");
}

function magicAt(block: Buffer, text: string, offset: number): boolean {
  return block.toString("latin1", offset, offset + text.length) === text;
}

export function parseHeader(block: Buffer): TarHeader {
  verifyChecksum(block);
  const isGnu = magicAt(block, "ustar  \0", 257);
  const isUstar = magicAt(block, "ustar\0", 257);
  const isStar = isUstar && magicAt(block, "tar\0", 508);
  let name = text(block, 0, 100);
  if (isUstar && block[345] !== 0) {
    name = Buffer.concat([text(block, 345, isStar ? 131 : 155), Buffer.from("/"), name]);
  }
  const size = numberField(block, 124, 12);
  if (size < 0) throw corruptTar("a size is negative");
  return {
    typeFlag: String.fromCharCode(block[156]!),
    name,
    linkName: text(block, 157, 100),
    mode: numberField(block, 100, 8) & 0o7777,
    uid: numberField(block, 108, 8),
    gid: numberField(block, 116, 8),
    size,
    mtimeSec: numberField(block, 136, 12),
    major: isGnu || isUstar ? numberField(block, 329, 8) : 0,
    minor: isGnu || isUstar ? numberField(block, 337, 8) : 0,
    isGnu,
  };
}

/** Sparse map entries (old GNU format) at `start`: up to `count` of 24 bytes; the first empty one ends. */
export function sparseFields(block: Buffer, start: number, count: number): Extent[] {
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) {
    const at = start + i * 24;
    if (block[at] === 0) break;
    extents.push({ offset: numberField(block, at, 12), length: numberField(block, at + 12, 12) });
  }
  return extents;
}
