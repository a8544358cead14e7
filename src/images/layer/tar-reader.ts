/**
 * A streaming tar parser: bytes are pushed in, entries come out.
 *
 * Promises: reads v7, ustar, star, GNU (long names, old sparse files) and PAX (with GNU sparse 0.0, 0.1
 * and 1.0); memory is bounded whatever the archive says (extended headers and sparse maps 1 MiB, names
 * 4095 bytes); anything malformed or cut short is BockerError("corrupt"). Where archives are ambiguous
 * it decides as Go's archive/tar, the reader of Docker's layers: global PAX headers change nothing, a
 * GNU long name beats a PAX path, everything behind the two zero blocks is ignored.
 */
import { BLOCK, type Extent, NAME_MAX, type TarEntry, type TarEntryType } from "./tar-entry.ts";
import {
  corruptTar,
  isZeroBlock,
  numberField,
  parseHeader,
  sparseFields,
  type TarHeader,
} from "./tar-header.ts";
import { type PaxHeader, parsePax, paxInteger } from "./tar-pax.ts";

const META_MAX = 1 << 20;
const OWNER_MAX = 0xfffffffe;
const NEWLINE = 0x0a;

export interface TarSink {
  entry(entry: TarEntry): void;
  /** Bytes of the entry's content from `position`. The memory is only lent. */
  data(bytes: Buffer, position: number): void;
  /** All content of the entry has been given. */
  end(): void;
}

const TYPES: Record<string, TarEntryType> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

const META_FLAGS = "xXgLK";

/** What the next bytes are. */
type State = "header" | "meta" | "sparse-extension" | "sparse-map" | "data" | "padding" | "end";

export class TarReader {
  readonly #sink: TarSink;
  readonly #block = Buffer.alloc(BLOCK);
  #blockLength = 0;
  #state: State = "header";
  #zeroBlocks = 0;
  /** Bytes of the current body (meta or data) that are still to come, and of the padding behind it. */
  #remaining = 0;
  #padding = 0;
  #meta: Buffer[] = [];
  #metaFlag = "";
  #pax: PaxHeader | undefined;
  #longName: Buffer | undefined;
  #longLink: Buffer | undefined;
  #header: TarHeader | undefined;
  #extents: Extent[] = [];
  #extentIndex = 0;
  #extentDone = 0;
  #realSize = 0;
  #mapLines = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Parses `chunk`; the sink is called for everything that is complete. */
  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case "end":
          return;
        case "data":
          at += this.#takeData(chunk, at);
          break;
        case "meta": {
          const length = Math.min(this.#remaining, chunk.length - at);
          this.#meta.push(Buffer.from(chunk.subarray(at, at + length)));
          at += length;
          this.#remaining -= length;
          if (this.#remaining === 0) this.#endMeta();
          break;
        }
        case "padding": {
          const length = Math.min(this.#padding, chunk.length - at);
          at += length;
          this.#padding -= length;
          if (this.#padding === 0) this.#state = "header";
          break;
        }
        default: {
          const length = Math.min(BLOCK - this.#blockLength, chunk.length - at);
          chunk.copy(this.#block, this.#blockLength, at, at + length);
          at += length;
          this.#blockLength += length;
          if (this.#blockLength === BLOCK) {
            this.#blockLength = 0;
            this.#takeBlock();
          }
        }
      }
    }
  }

  /** Must be called once at the end of the input: an archive that was cut is refused here. */
  finish(): void {
    const complete = this.#state === "end" || (this.#state === "header" && this.#blockLength === 0);
    const pending = this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
    if (!complete || pending) throw corruptTar("unexpected end");
  }

  #takeBlock(): void {
    if (this.#state === "sparse-extension") this.#takeSparseExtension();
    else if (this.#state === "sparse-map") this.#takeSparseMap();
    else this.#takeHeader();
  }

  #takeHeader(): void {
    if (isZeroBlock(this.#block)) {
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#state = "end";
      return;
    }
    if (this.#zeroBlocks > 0) throw corruptTar("a lone zero block");
    const header = parseHeader(this.#block);
    if (META_FLAGS.includes(header.typeFlag)) this.#beginMeta(header);
    else this.#beginEntry(header);
  }

  #beginMeta(header: TarHeader): void {
    if (header.size > META_MAX) throw corruptTar("an extended header is larger than 1 MiB");
    this.#metaFlag = header.typeFlag;
    this.#meta = [];
    this.#remaining = header.size;
    this.#padding = paddingOf(header.size);
    this.#state = "meta";
    if (header.size === 0) this.#endMeta();
  }

  #endMeta(): void {
    const bytes = Buffer.concat(this.#meta);
    this.#meta = [];
    if (this.#metaFlag === "L") this.#longName = untilNul(bytes);
    else if (this.#metaFlag === "K") this.#longLink = untilNul(bytes);
    else {
      const pax = parsePax(bytes);
      if (this.#metaFlag !== "g") this.#pax = pax;
    }
    this.#state = this.#padding > 0 ? "padding" : "header";
  }

  #beginEntry(header: TarHeader): void {
    this.#header = header;
    const sparse = this.#pax?.sparse;
    const size = this.#pax?.size ?? header.size;
    this.#extents = [];
    this.#realSize = size;
    this.#remaining = isFile(header) ? size : 0;
    this.#padding = paddingOf(this.#remaining);
    if (header.typeFlag === "S") {
      if (!header.isGnu) throw corruptTar("a sparse file is not in the GNU format");
      this.#extents = sparseFields(this.#block, 386, 4);
      this.#realSize = numberField(this.#block, 483, 12);
      if (this.#block[482] !== 0) this.#state = "sparse-extension";
      else this.#emit(true);
      return;
    }
    if (sparse?.major === 1 && sparse.minor === 0 && isFile(header)) {
      this.#realSize = sparse.realSize ?? size;
      this.#meta = [];
      this.#mapLines = 0;
      this.#state = "sparse-map";
      return;
    }
    const isSparse = sparse?.extents !== undefined && isFile(header);
    if (isSparse) {
      this.#extents = sparse.extents!;
      this.#realSize = sparse.realSize ?? size;
    }
    this.#emit(isSparse);
  }

  #takeSparseExtension(): void {
    this.#extents.push(...sparseFields(this.#block, 0, 21));
    // 24 bytes an extent: the same megabyte as for maps.
    if (this.#extents.length > META_MAX / 24) throw corruptTar("a sparse map is larger than 1 MiB");
    if (this.#block[504] === 0) this.#emit(true);
  }

  /** GNU 1.0: the map is decimal lines in whole blocks before the data: count, then offset and length. */
  #takeSparseMap(): void {
    this.#remaining -= BLOCK;
    if (this.#remaining < 0) throw corruptTar("a sparse map is longer than its file");
    this.#meta.push(Buffer.from(this.#block));
    if (this.#meta.length * BLOCK > META_MAX) throw corruptTar("a sparse map is larger than 1 MiB");
    const firstEnd = this.#meta[0]!.indexOf(NEWLINE);
    if (firstEnd < 0) throw corruptTar("a sparse map is malformed");
    const count = paxInteger(this.#meta[0]!.subarray(0, firstEnd));
    for (const byte of this.#block) if (byte === NEWLINE) this.#mapLines++;
    if (this.#mapLines < 1 + count * 2) return;
    const lines = Buffer.concat(this.#meta).toString("latin1").split("\n");
    for (let i = 0; i < count; i++) {
      this.#extents.push({ offset: paxInteger(lines[1 + i * 2]!), length: paxInteger(lines[2 + i * 2]!) });
    }
    this.#meta = [];
    this.#emit(true);
  }

  #emit(isSparse: boolean): void {
    const header = this.#header!;
    if (isSparse) this.#checkExtents();
    const entry = this.#entryOf(header, isSparse);
    this.#pax = undefined;
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#extentIndex = 0;
    this.#extentDone = 0;
    if (!isSparse) this.#extents = [{ offset: 0, length: this.#remaining }];
    this.#sink.entry(entry);
    this.#state = "data";
    if (this.#remaining === 0) this.#endData();
  }

  #checkExtents(): void {
    let position = 0;
    let total = 0;
    for (const { offset, length } of this.#extents) {
      if (offset < position || length < 0) throw corruptTar("a sparse map is not in order");
      position = offset + length;
      total += length;
    }
    if (position > this.#realSize || this.#realSize < 0 || !Number.isSafeInteger(position)) {
      throw corruptTar("a sparse map reaches behind the end of its file");
    }
    if (total !== this.#remaining) throw corruptTar("a sparse map does not match its data");
  }

  #entryOf(header: TarHeader, isSparse: boolean): TarEntry {
    const pax = this.#pax;
    const name = this.#longName ?? pax?.sparse.name ?? pax?.path ?? header.name;
    const linkName = this.#longLink ?? pax?.linkPath ?? header.linkName;
    if (name.length > NAME_MAX || linkName.length > NAME_MAX)
      throw corruptTar("a name is longer than 4095 bytes");
    let type = TYPES[header.typeFlag];
    // Version 7 had no type for directories.
    if (header.typeFlag === "\0" && name.at(-1) === 0x2f) type = "directory";
    if (type === undefined) throw corruptTar(`unknown entry type ${JSON.stringify(header.typeFlag)}`);
    const isDevice = type === "character" || type === "block";
    const isLink = type === "symlink" || type === "hardlink";
    return {
      type,
      name,
      linkName: isLink ? linkName : Buffer.alloc(0),
      mode: header.mode,
      uid: ownerOf(pax?.uid ?? header.uid),
      gid: ownerOf(pax?.gid ?? header.gid),
      size: type === "file" ? this.#realSize : 0,
      mtime: pax?.mtime ?? { sec: header.mtimeSec, nsec: 0 },
      major: isDevice ? header.major : 0,
      minor: isDevice ? header.minor : 0,
      xattrs: pax?.xattrs ?? new Map(),
      ...(isSparse ? { extents: this.#extents } : {}),
    };
  }

  /** Gives the sink what `chunk` has of the current extent; returns the bytes used. */
  #takeData(chunk: Buffer, at: number): number {
    let extent = this.#extents[this.#extentIndex]!;
    while (this.#extentDone === extent.length) {
      extent = this.#extents[++this.#extentIndex]!;
      this.#extentDone = 0;
    }
    const length = Math.min(extent.length - this.#extentDone, chunk.length - at);
    this.#sink.data(chunk.subarray(at, at + length), extent.offset + this.#extentDone);
    this.#extentDone += length;
    this.#remaining -= length;
    if (this.#remaining === 0) this.#endData();
    return length;
  }

  #endData(): void {
    this.#sink.end();
    this.#state = this.#padding > 0 ? "padding" : "header";
  }
}

/** Parses a whole archive from `source`. */
export async function readTar(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  sink: TarSink,
): Promise<void> {
  const reader = new TarReader(sink);
  for await (const chunk of source) reader.write(asBuffer(chunk));
  reader.finish();
}

/** The same memory as a Buffer. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isFile(header: TarHeader): boolean {
  const isV7Directory = header.typeFlag === "\0" && header.name.at(-1) === 0x2f;
  return TYPES[header.typeFlag] === "file" && !isV7Directory;
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function ownerOf(id: number): number {
  if (id < 0 || id > OWNER_MAX) throw corruptTar("an owner is out of range");
  return id;
}
