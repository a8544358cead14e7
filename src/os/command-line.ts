/** The words this process was called with. The runtime decodes them as UTF-8 and replaces what is none. */
import { readBytes } from "./host-files.ts";

const REPLACEMENT = "\ufffd";

/** How many bytes the UTF-8 sequence has that a byte begins. */
function sequenceLength(byte: number): number {
  return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
}

/** Text whose bytes that are not UTF-8 are lone surrogates U+DC80..U+DCFF (PEP 383). */
function decodeWithRawBytes(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const sequence = bytes.subarray(at, at + sequenceLength(bytes[at]!));
    const decoded = sequence.toString("utf8");
    const valid = Buffer.from(decoded, "utf8").equals(sequence);
    text += valid ? decoded : String.fromCharCode(0xdc00 + bytes[at]!);
    at += valid ? sequence.length : 1;
  }
  return text;
}

/** The words behind the program's name, none of their bytes lost. */
export function commandLine(): string[] {
  const words = process.argv.slice(2);
  if (!words.some((word) => word.includes(REPLACEMENT))) return words;
  const raw = readBytes("/proc/self/cmdline");
  const all: Buffer[] = [];
  for (let at = 0; at < raw.length; ) {
    const end = raw.indexOf(0, at);
    all.push(raw.subarray(at, end));
    at = end + 1;
  }
  return all.slice(all.length - words.length).map(decodeWithRawBytes);
}
