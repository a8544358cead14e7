/** Reading directories through descriptors. */
import { lseek } from "./files.ts";
import { native } from "./native.ts";
import { retried } from "./syscalls.ts";

/** d_type values. UNKNOWN means: ask fstatat. */
export const DT_UNKNOWN = 0;
export const DT_CHR = 2;
export const DT_DIR = 4;

export interface DirectoryEntry {
  /** Raw bytes; never "." or "..". */
  name: Buffer;
  /** DT_* */
  type: number;
  /** Rounded above 2^53. */
  ino: number;
}

const HEADER = 19;

/** All entries of an open directory, from its start, in the filesystem's order. */
export function readDirectory(fd: number): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const out = Buffer.allocUnsafe(32768);
  lseek(fd, 0);
  for (;;) {
    const length = retried(() => native().getdents(fd, out), "getdents64");
    if (length === 0) return entries;
    for (let at = 0; at < length; ) {
      const recordLength = out.readUInt16LE(at + 16);
      const nameStart = at + HEADER;
      const nameEnd = out.indexOf(0, nameStart);
      const size = nameEnd - nameStart;
      const dots = out[nameStart] === 0x2e && (size === 1 || (size === 2 && out[nameStart + 1] === 0x2e));
      if (!dots) {
        entries.push({
          name: Buffer.from(out.subarray(nameStart, nameEnd)),
          type: out[at + 18]!,
          ino: Number(out.readBigUInt64LE(at)),
        });
      }
      at += recordLength;
    }
  }
}
