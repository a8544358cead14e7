/** Questions at the terminal. */
import { BockerError } from "../base/errors.ts";
import { read } from "../os/files.ts";
import { makeRaw } from "../os/terminal.ts";
import { writeFully } from "./output.ts";

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACES = [0x08, 0x7f];
const ENDS = [0x0a, 0x0d];

/** A line that is typed at the terminal of descriptor 0; `secret`: it is not shown. Throws "interrupted" at Ctrl-C. */
export function ask(question: string, secret = false): string {
  writeFully(2, question);
  const restore = makeRaw(0);
  const typed: number[] = [];
  const byte = Buffer.alloc(1);
  try {
    for (;;) {
      const count = read(0, byte);
      const key = byte[0]!;
      if (count === 0 || key === CTRL_D || ENDS.includes(key)) return Buffer.from(typed).toString("utf8");
      if (key === CTRL_C) throw new BockerError("interrupted", "interrupted");
      if (BACKSPACES.includes(key)) {
        if (typed.pop() !== undefined && !secret) writeFully(2, "\b \b");
      } else {
        typed.push(key);
        if (!secret) writeFully(2, String.fromCharCode(key));
      }
    }
  } finally {
    restore();
    writeFully(2, "\n");
  }
}
