/**
 * Holes of files: which of them an archive says, and how zeros become holes again.
 *
 * A layer "SHOULD NOT" use tar's sparse files (OCI image-spec layer.md), and with reason: Docker and podman, which keep layers
 * with vbatts/tar-split, unpack them but cannot save or push them any more. So holes are zeros in an archive, which compress
 * to nothing, unless there is too much of them; and whoever unpacks zeros leaves holes.
 */
import { pwriteAll } from "../../os/files.ts";
import type { Extent } from "./tar-entry.ts";

/** Bytes of holes in a file from which on they cost more than they are worth as zeros: a quarter of a second. */
const SPARSE_MIN = 256 << 20;
/** More would not fit into the megabyte that readers allow a map. */
const EXTENTS_MAX = 20_000;
const PAGE = 4096;

/** Files from this size on are looked through for zeros. */
const SEARCHED_MIN = 1 << 20;
/** Zeros are looked for in so many bytes at a time. */
const PIECE = 1 << 15;
const ZEROS = Buffer.alloc(PIECE);

/** Extents with fewer than `gap` bytes between them as one. */
function merged(extents: readonly Extent[], gap: number): Extent[] {
  const result: Extent[] = [];
  for (const { offset, length } of extents) {
    const last = result.at(-1);
    if (last !== undefined && offset - last.offset - last.length < gap)
      last.length = offset + length - last.offset;
    else result.push({ offset, length });
  }
  return result;
}

/** What an archive has of a file's data; undefined: all of its bytes. @param extents where there is data, in order */
export function archivedExtents(extents: readonly Extent[], size: number): Extent[] | undefined {
  const data = extents.reduce((sum, { length }) => sum + length, 0);
  if (size - data < SPARSE_MIN) return undefined;
  let kept = [...extents];
  for (let gap = PAGE; kept.length > EXTENTS_MAX; gap *= 2) kept = merged(kept, gap);
  return kept;
}

export function mayHaveHoles(size: number): boolean {
  return size >= SEARCHED_MIN;
}

/** Writes to a file that is new, but for zeros: the caller gives it its length. */
export function writeAroundZeros(fd: number, bytes: Buffer, position: number): void {
  /** Where what is not zeros began. */
  let start = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + PIECE - ((position + at) % PIECE), bytes.length);
    if (bytes.compare(ZEROS, 0, end - at, at, end) === 0) {
      if (start < at) pwriteAll(fd, bytes.subarray(start, at), position + start);
      start = end;
    }
    at = end;
  }
  if (start < bytes.length) pwriteAll(fd, bytes.subarray(start), position + start);
}
