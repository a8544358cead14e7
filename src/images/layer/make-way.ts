/** What a copy does with what is at an entry's place already. */
import { BockerError } from "../../base/errors.ts";
import { O_NOFOLLOW, O_PATH, O_TRUNC, O_WRONLY, RESOLVE_NO_XDEV } from "../../os/constants.ts";
import { close, openat, openat2, unlinkat, withFd } from "../../os/files.ts";
import { fstat, isDirectory, isRegular, type Stat } from "../../os/metadata.ts";
import { isSystemError, SystemError } from "../../os/system-error.ts";
import { reopen } from "./copy-file.ts";
import { quoted } from "./layer-path.ts";
import type { TarEntry } from "./tar-entry.ts";

const EBUSY = 16;

/** In Docker's words: a directory and what is none do not take each other's place. `shown` is what is there, `name` what comes. */
export function refuseOtherKind(existing: Stat, isNew: boolean, shown: string, name: Buffer): void {
  const isThere = isDirectory(existing);
  if (isThere === isNew) return;
  const kinds = isThere ? ["directory", "non-directory"] : ["non-directory", "directory"];
  throw new BockerError(
    "conflict",
    `cannot overwrite ${kinds[0]} ${JSON.stringify(shown)} with ${kinds[1]} ${quoted(name)}`,
  );
}

function isMounted(parent: number, name: Buffer): boolean {
  try {
    close(openat2(parent, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_XDEV));
    return false;
  } catch (error) {
    if (isSystemError(error, "EXDEV")) return true;
    throw error;
  }
}

/**
 * Removes what is there, and no directory. Returns a descriptor to write to, and nothing is removed, where a file is mounted
 * there: without its name in a container's root it would be mounted no more. EBUSY where anything else is.
 */
export function makeWay(parent: number, name: Buffer, entry: TarEntry): number | undefined {
  if (!isMounted(parent, name)) {
    unlinkat(parent, name);
    return undefined;
  }
  return withFd(openat(parent, name, O_PATH | O_NOFOLLOW), (fd) => {
    if (entry.type !== "file" || !isRegular(fstat(fd))) throw new SystemError(EBUSY, "unlinkat", name);
    return reopen(fd, O_WRONLY | O_TRUNC);
  });
}
