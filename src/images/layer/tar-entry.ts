/** What a tar archive says about one file. */
import type { Timestamp } from "../../os/metadata.ts";

export type TarEntryType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

/** Bytes of a sparse file that are data; all else is a hole. */
export interface Extent {
  offset: number;
  length: number;
}

export interface TarEntry {
  type: TarEntryType;
  /** Raw bytes as in the archive: perhaps absolute, with "..", with a trailing slash. Never a NUL. */
  name: Buffer;
  /** Target of a symlink or hardlink, else empty. */
  linkName: Buffer;
  /** Permission bits, 0 to 0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Of the file's content with its holes, in bytes; 0 for all other types. */
  size: number;
  mtime: Timestamp;
  /** Device numbers, 0 for all other types. */
  major: number;
  minor: number;
  /** Extended attributes, in the archive's order. */
  xattrs: Map<string, Buffer>;
  /** Sorted and without overlap; absent where the whole content is in the archive. */
  extents?: Extent[];
}

export const BLOCK = 512;

/** Linux paths end at 4096 bytes with their NUL. */
export const NAME_MAX = 4095;
