/**
 * What is read from beginning to end. Regular files are read where they are asked for: the runtime's own streams read them on
 * the threads that compress and decompress, and wait for those.
 */
import { createReadStream } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "./constants.ts";
import { close, openat, read } from "./files.ts";
import { fstat, isRegular, statatIfExists } from "./metadata.ts";

const READ_SIZE = 1 << 18;

async function* chunksOf(fd: number): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(READ_SIZE);
    const count = read(fd, buffer);
    if (count === 0) return;
    yield buffer.subarray(0, count);
    // Signals are delivered between two turns of the event loop only.
    await setImmediate();
  }
}

async function* fileChunks(path: string): AsyncGenerator<Uint8Array, void, void> {
  const fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  try {
    yield* chunksOf(fd);
  } finally {
    close(fd);
  }
}

/** The bytes of a file, or of a pipe with a name. What cannot be opened or read is an error when it is read. */
export function inputChunks(path: string): AsyncIterable<Uint8Array> {
  const stat = statatIfExists(AT_FDCWD, path);
  return stat !== undefined && isRegular(stat)
    ? fileChunks(path)
    : createReadStream(path, { highWaterMark: READ_SIZE });
}

/** The bytes of standard input. */
export function standardInput(): AsyncIterable<Uint8Array> {
  return isRegular(fstat(0)) ? chunksOf(0) : process.stdin;
}
