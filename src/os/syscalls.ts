/**
 * From the addon's return values to results and exceptions. The calls themselves are in files.ts,
 * metadata.ts, directories.ts, sockets.ts and processes.ts.
 */
import type { Path } from "./native.ts";
import { SystemError } from "./system-error.ts";

const EINTR = 4;

/** `result`, or a SystemError where it is -errno. */
export function checked(result: number, syscall: string, path?: Path): number {
  if (result < 0) throw new SystemError(-result, syscall, path);
  return result;
}

/** As `checked`, but a call that a signal interrupted is made again. */
export function retried(call: () => number, syscall: string, path?: Path): number {
  for (;;) {
    const result = call();
    if (result >= 0) return result;
    if (result !== -EINTR) throw new SystemError(-result, syscall, path);
  }
}
