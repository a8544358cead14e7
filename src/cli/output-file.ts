/** What commands write whole: to a file that is there complete or not at all, or to standard output. */

import { BockerError } from "../base/errors.ts";
import { randomBytes } from "../base/random.ts";
import { AT_FDCWD, O_CLOEXEC, O_CREAT, O_EXCL, O_WRONLY } from "../os/constants.ts";
import { close, openat, renameat2, unlinkat, writeAll } from "../os/files.ts";
import { isDevice, isDirectory, isRegular, statatIfExists } from "../os/metadata.ts";
import { isSystemError } from "../os/system-error.ts";
import { isTerminal } from "../os/terminal.ts";
import type { FlagValues } from "./flags.ts";
import { interruptible } from "./interruption.ts";

/**
 * The file of --output; undefined for standard output, which "" is, too: an empty variable of a script.
 * Throws "invalid" where an archive would be written to the user's screen.
 */
export function outputPath(values: FlagValues): string | undefined {
  const path = values.string("output") || undefined;
  if (path === undefined && isTerminal(1))
    throw new BockerError("invalid", "cowardly refusing to save to a terminal. Use the -o flag or redirect");
  return path;
}

/** Chunks to standard output; somebody who reads no more ends it quietly, as for every other output. */
async function writeStandardOutput(chunks: Iterable<Buffer>): Promise<void> {
  for (const chunk of chunks)
    try {
      writeAll(1, chunk);
    } catch (error) {
      if (isSystemError(error, "EPIPE")) process.exit(0);
      throw error;
    }
}

/** A device would be replaced, for all programs of the machine (docker/cli, ValidateOutputPath). */
function refuseOthersThanFiles(path: string): void {
  const stat = statatIfExists(AT_FDCWD, path, 0);
  if (stat === undefined || isRegular(stat)) return;
  const kind = isDirectory(stat) ? "a directory" : isDevice(stat) ? "a device" : "no file";
  throw new BockerError("invalid", `invalid output path: "${path}" must be a regular file: got ${kind}`);
}

/** Throws "invalid" where the directory that `path` is in does not exist. */
export function refuseMissingDirectory(path: string): void {
  const directory = path.slice(0, path.lastIndexOf("/"));
  if (directory === "" || statatIfExists(AT_FDCWD, directory, 0) !== undefined) return;
  throw new BockerError(
    "invalid",
    `invalid output path: directory ${JSON.stringify(directory)} does not exist`,
  );
}

/**
 * Writes the chunks to a new file that takes the place of `path` when it is complete; undefined: standard output.
 * Throws BockerError "interrupted"; then nothing is left. "invalid" where there is something else than a file.
 */
export async function writeOutput(path: string | undefined, chunks: Iterable<Buffer>): Promise<void> {
  if (path === undefined) return writeStandardOutput(chunks);
  refuseMissingDirectory(path);
  refuseOthersThanFiles(path);
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  const fd = openat(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600);
  try {
    await interruptible(async (signal) => {
      for (const chunk of chunks) {
        writeAll(fd, chunk);
        // Signals are delivered between two chunks only.
        await new Promise((resolve) => setImmediate(resolve));
        if (signal.aborted) throw new BockerError("interrupted", "interrupted");
      }
    });
    renameat2(AT_FDCWD, temporary, AT_FDCWD, path);
  } catch (error) {
    unlinkat(AT_FDCWD, temporary);
    throw error;
  } finally {
    close(fd);
  }
}
