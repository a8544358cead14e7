/** Copying what is in a file, with its holes. */
import { SEEK_DATA, SEEK_HOLE } from "./constants.ts";
import { copyFileRange, ioctl, lseek, pread, pwriteAll } from "./files.ts";
import { isSystemError } from "./system-error.ts";

const COPY_SIZE = 1 << 20;
/** linux/fs.h: _IOW(0x94, 9, int) */
const FICLONE = 0x40049409;

/** Where a file has data. */
export interface DataExtent {
  offset: number;
  length: number;
}

/** The data of an open file of `size` bytes; one extent for all of it where the filesystem knows no holes. */
export function dataExtents(fd: number, size: number): DataExtent[] {
  const extents: DataExtent[] = [];
  for (let at = 0; at < size; ) {
    try {
      const offset = lseek(fd, at, SEEK_DATA);
      const end = Math.min(lseek(fd, offset, SEEK_HOLE), size);
      if (end > offset) extents.push({ offset, length: end - offset });
      at = Math.max(end, offset + 1);
    } catch (error) {
      if (isSystemError(error, "ENXIO")) break;
      if (isSystemError(error, "EINVAL", "EOPNOTSUPP")) return [{ offset: 0, length: size }];
      throw error;
    }
  }
  return extents;
}

/** Copies the data of `from`; holes are skipped, so `to` has to be made as long afterwards. */
export function copyContents(from: number, to: number, size: number): void {
  const buffer = Buffer.allocUnsafe(Math.min(COPY_SIZE, size));
  for (const { offset, length } of dataExtents(from, size)) {
    lseek(from, offset);
    lseek(to, offset);
    let done = 0;
    try {
      while (done < length) {
        const count = copyFileRange(from, to, length - done);
        if (count === 0) return;
        done += count;
      }
    } catch (error) {
      if (!isSystemError(error, "EXDEV", "EINVAL", "EOPNOTSUPP", "ENOSYS")) throw error;
      while (done < length) {
        const count = pread(from, buffer, offset + done, Math.min(COPY_SIZE, length - done));
        if (count === 0) return;
        pwriteAll(to, buffer.subarray(0, count), offset + done);
        done += count;
      }
    }
  }
}

/** Makes `to` share the data of `from` (a reflink: btrfs, xfs, bcachefs); false where the filesystem cannot. */
export function shareContents(from: number, to: number): boolean {
  try {
    ioctl(to, FICLONE, from);
    return true;
  } catch (error) {
    if (isSystemError(error, "EOPNOTSUPP", "ENOTTY", "EXDEV", "EINVAL", "ENOSYS")) return false;
    throw error;
  }
}
