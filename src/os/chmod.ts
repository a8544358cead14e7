/** chmod where somebody else may exchange the file meanwhile: Linux has no call for it before 6.6. */
import { AT_EMPTY_PATH, AT_FDCWD, O_NOFOLLOW, O_PATH } from "./constants.ts";
import { openat, withFd } from "./files.ts";
import { fchmodat, isSymlink, statat } from "./metadata.ts";
import type { Path } from "./native.ts";
import { SystemError } from "./system-error.ts";

const ELOOP = 40;

/**
 * Changes the mode of what `path` names, and never that of what a symlink leads to which has come into its place: ELOOP
 * then (CVE-2021-41089).
 */
export function chmodNoFollow(dirfd: number, path: Path, mode: number): void {
  withFd(openat(dirfd, path, O_PATH | O_NOFOLLOW), (fd) => {
    if (isSymlink(statat(fd, "", AT_EMPTY_PATH))) throw new SystemError(ELOOP, "fchmodat", path);
    // The magic link of a descriptor leads to its very file.
    fchmodat(AT_FDCWD, `/proc/self/fd/${fd}`, mode);
  });
}
