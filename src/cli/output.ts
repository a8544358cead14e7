/** Writing to the terminal: everything at once, and safe to look at. */

import { isVisible, visible } from "../base/visible.ts";
import { write } from "../os/files.ts";

export { visible };

export function writeFully(fd: number, text: string): void {
  let bytes = Buffer.from(text, "utf8");
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(write(fd, bytes));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EAGAIN") continue;
      // Whoever read it has gone: nothing more to say, as `head` users expect.
      if (code === "EPIPE") process.exit(0);
      throw error;
    }
  }
}

export function print(text: string): void {
  writeFully(1, `${text}\n`);
}

export function printError(text: string): void {
  writeFully(2, `${text}\n`);
}

/** A listing goes on without what is damaged, and says so. */
export function printDamaged(error: Error): void {
  printError(`bocker: ${visible(error.message)}`);
}

const COLUMN_GAP = 3;
const COLUMN_MINIMUM = 10;

/** Columns as Docker's tabwriter aligns them: ten wide at least, three blanks between, nothing behind the last. */
export function table(header: string[], rows: string[][]): string {
  const all = [header, ...rows];
  const widths: number[] = [];
  for (const row of all)
    for (let at = 0; at < row.length - 1; at++)
      widths[at] = Math.max(widths[at] ?? COLUMN_MINIMUM, row[at]!.length + COLUMN_GAP);
  const lines: string[] = [];
  for (const row of all) {
    let line = "";
    for (let at = 0; at < row.length; at++)
      line += at < row.length - 1 ? row[at]!.padEnd(widths[at]!) : row[at];
    lines.push(line);
  }
  if (isVisible(lines.join(""))) return lines.join("\n");
  const [shown = [], ...others] = all.map((row) => row.map(visible));
  return table(shown, others);
}
