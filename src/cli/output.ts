/** Writing to the terminal: everything at once, and safe to look at. */
import { writeSync } from "node:fs";

function writeFully(fd: number, text: string): void {
  let bytes = Buffer.from(text, "utf8");
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EAGAIN") continue;
      // Whoever read it has gone: nothing more to say, as `head` users expect.
      if (code === "EPIPE") process.exit(0);
      throw error;
    }
  }
}

/** As it is, escape sequences included: for what draws on a terminal. */
export function printRaw(text: string): void {
  writeFully(1, text);
}

export function print(text: string): void {
  writeFully(1, `${text}\n`);
}

export function printError(text: string): void {
  writeFully(2, `${text}\n`);
}

/** Control characters of names, labels and errors as text: no title, colour or clipboard is set by an image. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0);
    return code === 9 ? " " : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

const COLUMN_GAP = 3;

/** Columns as Docker's tabwriter aligns them: three blanks between, nothing behind the last. */
export function table(header: string[], rows: string[][]): string {
  const lines = [header, ...rows].map((row) => row.map(visible));
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === line.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + COLUMN_GAP),
        )
        .join(""),
    )
    .join("\n");
}
