/**
 * What of a layer's archive is not in the files that it was unpacked to: headers, padding, the order. With it the
 * archive can be made again, bit for bit, as long as the files are there (the idea of vbatts/tar-split, which Docker uses).
 *
 * A compressed sequence of pieces of the archive, in order: 0, u32 length, that many bytes; or 1, u16 length, a path,
 * u64 position, u64 length: bytes of a file below the layer's directory. Numbers are little-endian.
 */
import { BockerError } from "../../base/errors.ts";
import { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../../os/constants.ts";
import { close, pread } from "../../os/files.ts";
import { fstat, isRegular } from "../../os/metadata.ts";
import { isSystemError } from "../../os/system-error.ts";
import { DistinctNames } from "./distinct-names.ts";
import { layerPath, pathBytes, quoted } from "./layer-path.ts";
import { openInRoot } from "./layer-root.ts";
import { ParallelGzip } from "./parallel-gzip.ts";
import { NAME_MAX, type TarEntry } from "./tar-entry.ts";
import type { TarReader, TarSink } from "./tar-reader.ts";
import { isWhiteoutName } from "./whiteout.ts";

const RAW = 0;
const FILE = 1;
const RAW_HEADER = 5;
const FILE_HEADER = 3;
const FILE_NUMBERS = 16;
/** Bytes that are compressed at a time. */
const BLOCK = 1 << 20;
const READ_SIZE = 1 << 18;

/** Bytes of a file, not yet written down: more of them may follow. */
interface Run {
  path: Buffer;
  position: number;
  length: number;
}

/**
 * Stands between a reader and what applies its entries, and writes down what the files will not have. The reader's sink is
 * this, and its bytes come through `write`.
 */
export class SplitRecorder implements TarSink {
  readonly #sink: TarSink;
  readonly #gzip: ParallelGzip;
  /** All names so far. */
  readonly names = new DistinctNames();
  #pieces: Buffer[] = [];
  #size = 0;
  #run: Run | undefined;
  #path: Buffer = Buffer.alloc(0);
  /** The entry becomes a file that has its bytes: whiteouts and aufs's own names do not. */
  #isKept = false;
  #chunk: Buffer = Buffer.alloc(0);
  /** How far of `#chunk` has been written down. */
  #done = 0;

  /** @param write gets the compressed sequence in pieces */
  constructor(sink: TarSink, write: (bytes: Buffer) => void) {
    this.#sink = sink;
    this.#gzip = new ParallelGzip(write);
  }

  /** The next bytes of the archive, which `reader` is given. */
  async write(reader: TarReader, chunk: Buffer): Promise<void> {
    this.#chunk = chunk;
    this.#done = 0;
    reader.write(chunk);
    this.#raw(chunk.length);
    if (this.#size >= BLOCK) await this.#compress();
  }

  async finish(): Promise<void> {
    this.#endRun();
    await this.#compress();
    await this.#gzip.finish();
  }

  entry(entry: TarEntry): void {
    const path = layerPath(entry.name);
    this.names.add(path, entry.type === "directory");
    this.#path = pathBytes(path);
    this.#isKept = !path.some(isWhiteoutName);
    this.#sink.entry(entry);
  }

  data(bytes: Buffer, position: number): void {
    this.#sink.data(bytes, position);
    if (!this.#isKept) return;
    const start = bytes.byteOffset - this.#chunk.byteOffset;
    this.#raw(start);
    this.#done = start + bytes.length;
    const run = this.#run;
    const goesOn = run !== undefined && run.path === this.#path && run.position + run.length === position;
    if (goesOn) run.length += bytes.length;
    else {
      this.#endRun();
      this.#run = { path: this.#path, position, length: bytes.length };
    }
  }

  end(): void {
    this.#sink.end();
  }

  /** The bytes of the chunk up to `end` that were no file's. */
  #raw(end: number): void {
    if (end === this.#done) return;
    this.#endRun();
    const header = Buffer.alloc(RAW_HEADER);
    header[0] = RAW;
    header.writeUInt32LE(end - this.#done, 1);
    this.#add(header);
    // The memory is the caller's again after this.
    this.#add(Buffer.from(this.#chunk.subarray(this.#done, end)));
    this.#done = end;
  }

  #endRun(): void {
    if (this.#run === undefined) return;
    const { path, position, length } = this.#run;
    this.#run = undefined;
    const piece = Buffer.alloc(FILE_HEADER + path.length + FILE_NUMBERS);
    piece[0] = FILE;
    piece.writeUInt16LE(path.length, 1);
    path.copy(piece, FILE_HEADER);
    piece.writeBigUInt64LE(BigInt(position), FILE_HEADER + path.length);
    piece.writeBigUInt64LE(BigInt(length), FILE_HEADER + path.length + 8);
    this.#add(piece);
  }

  #add(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#size += bytes.length;
  }

  async #compress(): Promise<void> {
    const block = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#size = 0;
    if (block.length > 0) await this.#gzip.add(block);
  }
}

const damaged = (what: string) => new BockerError("corrupt", `a layer cannot be packed again: ${what}`);

/** The sequence, as far as it has come, and what of it has been read. */
class Pieces {
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next `length` bytes; undefined at the end, if that is between two pieces. */
  async take(length: number, mayEnd = false): Promise<Buffer | undefined> {
    while (this.#buffer.length < length) {
      const next = await this.#source.next();
      if (next.done === true) {
        if (mayEnd && this.#buffer.length === 0) return undefined;
        throw damaged("what is kept of it ends too early");
      }
      this.#buffer = Buffer.concat([this.#buffer, next.value]);
    }
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async need(length: number): Promise<Buffer> {
    return (await this.take(length))!;
  }
}

function* fileBytes(
  directory: number,
  path: Buffer,
  position: number,
  length: number,
): Generator<Buffer, void, void> {
  const place = layerPath(path);
  let fd: number;
  try {
    // Not blocking: whatever is there now, nobody waits for it.
    fd = openInRoot(directory, place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO"))
      throw damaged(`${quoted(path)} is missing`);
    throw error;
  }
  try {
    if (!isRegular(fstat(fd))) throw damaged(`${quoted(path)} is no file any more`);
    for (let done = 0; done < length; ) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, length - done));
      const count = pread(fd, buffer, position + done);
      if (count === 0) throw damaged(`${quoted(path)} has become shorter`);
      yield buffer.subarray(0, count);
      done += count;
    }
  } finally {
    close(fd);
  }
}

/**
 * The archive of a layer again. Whoever reads it compares its digest with the layer's: files may have been changed.
 * @param split the sequence, not compressed any more
 * @param directory descriptor of the layer's directory
 * @throws BockerError "corrupt" where files are missing
 */
export async function* restoredArchive(
  split: AsyncIterable<Uint8Array>,
  directory: number,
): AsyncGenerator<Buffer, void, void> {
  const pieces = new Pieces(split);
  for (;;) {
    const kind = await pieces.take(1, true);
    if (kind === undefined) return;
    if (kind[0] === RAW) {
      const length = (await pieces.need(4)).readUInt32LE(0);
      if (length > 2 * BLOCK) throw damaged("what is kept of it makes no sense");
      yield await pieces.need(length);
    } else if (kind[0] === FILE) {
      const length = (await pieces.need(2)).readUInt16LE(0);
      if (length > NAME_MAX) throw damaged("what is kept of it makes no sense");
      const path = Buffer.from(await pieces.need(length));
      const numbers = await pieces.need(FILE_NUMBERS);
      yield* fileBytes(
        directory,
        path,
        Number(numbers.readBigUInt64LE(0)),
        Number(numbers.readBigUInt64LE(8)),
      );
    } else throw damaged("what is kept of it makes no sense");
  }
}
