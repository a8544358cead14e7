/** Reads single files of a root that is not mounted: out of its layers, the topmost first. */
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "./constants.ts";
import { openat, openat2, readAll, withFd } from "./files.ts";
import { fstat, isRegular } from "./metadata.ts";
import { isSystemError, SystemError } from "./system-error.ts";

/** Enough for any /etc/passwd that is one (CVE-2026-47262). */
const SIZE_LIMIT = 1 << 20;
const EFBIG = 27;

/**
 * A file's text, links resolved inside each layer; "" where there is none. A device, a fifo or a
 * whiteout in its place counts as none (CVE-2024-9676).
 */
export function readRootFile(layers: string[], path: string): string {
  for (const layer of layers) {
    const content = readLayerFile(layer, path);
    if (content !== undefined) return content;
  }
  return "";
}

/** Opened for reading only once it is known to be a file: to open a device may already do something (a watchdog). */
function readRegular(found: number): string {
  return withFd(openat(AT_FDCWD, `/proc/self/fd/${found}`, O_RDONLY | O_NONBLOCK | O_CLOEXEC), (fd) =>
    readAll(fd, SIZE_LIMIT).toString("utf8"),
  );
}

function readLayerFile(layer: string, path: string): string | undefined {
  return withFd(openat(AT_FDCWD, layer, O_PATH | O_DIRECTORY | O_CLOEXEC), (root) => {
    let found: number;
    try {
      found = openat2(root, path, O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    } catch (error) {
      if (isSystemError(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
      throw error;
    }
    return withFd(found, () => {
      const status = fstat(found);
      if (!isRegular(status)) return "";
      if (status.size > SIZE_LIMIT) throw new SystemError(EFBIG, "read", path);
      return readRegular(found);
    });
  });
}
