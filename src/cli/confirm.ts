/** Asking before something goes. */
import { read } from "../os/files.ts";
import { writeFully } from "./output.ts";

const ANSWER_MAX = 64;

/** True for "y" and "yes"; an end of input is a no. */
export function confirmed(question: string): boolean {
  writeFully(1, `${question}\nAre you sure you want to continue? [y/N] `);
  const bytes = Buffer.alloc(ANSWER_MAX);
  let length = 0;
  while (length < ANSWER_MAX && !bytes.subarray(0, length).includes(0x0a)) {
    const count = read(0, bytes.subarray(length, length + 1));
    if (count === 0) break;
    length += count;
  }
  return /^y(es)?$/i.test(bytes.toString("utf8", 0, length).trim());
}
