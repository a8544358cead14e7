/** Reading the kernel's small files: the one way in which this room looks at the machine. */
import { readTextIfExists } from "../os/host-files.ts";
import { isSystemError } from "../os/system-error.ts";

/** A file's content; undefined where there is none. Tests give another machine's files. */
export type Read = (path: string) => string | undefined;

export const readHere: Read = (path) => {
  try {
    return readTextIfExists(path);
  } catch (error) {
    // The cgroup was removed after its file was opened.
    if (isSystemError(error, "ENODEV")) return undefined;
    throw error;
  }
};

/** The words of such a file; none where it is missing. */
export function words(content: string | undefined): string[] {
  return (content ?? "").trim().split(/\s+/).filter(Boolean);
}
