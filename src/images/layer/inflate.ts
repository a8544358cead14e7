/**
 * Decompressing layers. The bytes decide, not the media type: gzip (several members), zstd (several and
 * skippable frames) or plain.
 *
 * Promises: reads its source no faster than the result is consumed; truncated and damaged input is
 * BockerError("corrupt"); the window of zstd is limited to 128 MiB.
 */
import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { BockerError, messageOf } from "../../base/errors.ts";

const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** Of a skippable frame: 0x50 to 0x5f in the first byte. */
const SKIPPABLE_TAIL = [0x2a, 0x4d, 0x18];
const MAGIC_LENGTH = 4;
const CHUNK_SIZE = 1 << 18;
const ZSTD_WINDOW_LOG_MAX = 27;

export type Compression = "gzip" | "zstd" | "none";

/** What `head`, the first bytes of a layer, announces. */
export function compressionOf(head: Uint8Array): Compression {
  const startsWith = (magic: number[], from = 0) => magic.every((byte, i) => head[from + i] === byte);
  if (startsWith(GZIP_MAGIC)) return "gzip";
  if (startsWith(ZSTD_MAGIC)) return "zstd";
  const isSkippable = (head[0] ?? 0) >> 4 === 5 && startsWith(SKIPPABLE_TAIL, 1);
  return isSkippable ? "zstd" : "none";
}

/** What Docker's engine calls programs for. Throws "unsupported". */
function refuseOthers(head: Uint8Array): void {
  const text = Buffer.from(head).toString("latin1");
  const program = /^BZh[1-9]/.test(text) ? "bzip2" : text.startsWith("\xfd7zX") ? "xz" : undefined;
  if (program === undefined) return;
  throw new BockerError(
    "unsupported",
    `the archive is compressed by ${program}, which bocker does not read: decompress it first (${program} -d)`,
  );
}

function decompressor(compression: "gzip" | "zstd"): Transform {
  if (compression === "gzip") return zlib.createGunzip({ chunkSize: CHUNK_SIZE });
  if (typeof zlib.createZstdDecompress !== "function") {
    throw new BockerError("platform", "this Node.js has no zstd: use 22.15 or newer");
  }
  return zlib.createZstdDecompress({
    chunkSize: CHUNK_SIZE,
    params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
  });
}

/** Writes `source` into `transform`, waiting wherever it asks to. */
async function feed(
  source: AsyncIterator<Uint8Array>,
  first: Uint8Array[],
  transform: Transform,
): Promise<void> {
  const write = async (chunk: Uint8Array) => {
    if (transform.write(chunk)) return;
    await new Promise<void>((resolve, reject) => {
      const settle = () => {
        transform.off("drain", settle).off("close", settle).off("error", settle);
        if (transform.destroyed) reject(new BockerError("interrupted", "the layer is no longer read"));
        else resolve();
      };
      transform.on("drain", settle).on("close", settle).on("error", settle);
    });
  };
  for (const chunk of first) await write(chunk);
  for (let next = await source.next(); next.done !== true; next = await source.next())
    await write(next.value);
  transform.end();
}

/** The uncompressed bytes of `source`. */
export async function* inflate(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const first: Uint8Array[] = [];
    let head = Buffer.alloc(0);
    while (head.length < MAGIC_LENGTH) {
      const next = await iterator.next();
      if (next.done === true) break;
      first.push(next.value);
      head = Buffer.concat([head, next.value.subarray(0, MAGIC_LENGTH)]);
    }
    refuseOthers(head);
    const compression = compressionOf(head);
    if (compression === "none") yield* plain(iterator, first);
    else yield* decompressed(iterator, first, decompressor(compression));
  } finally {
    await iterator.return?.();
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function* plain(
  source: AsyncIterator<Uint8Array>,
  first: Uint8Array[],
): AsyncGenerator<Buffer, void, void> {
  for (const chunk of first) yield asBuffer(chunk);
  for (let next = await source.next(); next.done !== true; next = await source.next())
    yield asBuffer(next.value);
}

async function* decompressed(
  source: AsyncIterator<Uint8Array>,
  first: Uint8Array[],
  transform: Transform,
): AsyncGenerator<Buffer, void, void> {
  let sourceError: unknown;
  const feeding = feed(source, first, transform).catch((error: unknown) => {
    sourceError = error;
    transform.destroy(error instanceof Error ? error : new Error(messageOf(error)));
  });
  try {
    for await (const chunk of transform) yield chunk as Buffer;
    await feeding;
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    throw new BockerError("corrupt", `cannot decompress the layer: ${messageOf(error)}`, { cause: error });
  } finally {
    transform.destroy();
  }
}
