/** Files that grow, line by line. */
import { read } from "./files.ts";

const READ_SIZE = 1 << 18;
const NEWLINE = 0x0a;

/** Cuts what is read into lines, and keeps the unfinished one. */
export class LineReader {
  #rest: Buffer = Buffer.alloc(0);
  readonly #buffer = Buffer.alloc(READ_SIZE);

  /** The next lines of `fd`, without their ends; undefined at its end. */
  next(fd: number): string[] | undefined {
    const count = read(fd, this.#buffer);
    if (count === 0) return undefined;
    const bytes = Buffer.concat([this.#rest, this.#buffer.subarray(0, count)]);
    const last = bytes.lastIndexOf(NEWLINE);
    this.#rest = Buffer.from(bytes.subarray(last + 1));
    return last < 0 ? [] : bytes.toString("utf8", 0, last).split("\n");
  }
}
