/**
 * JSON from outside, read the way every other reader of it does.
 *
 * Promises: UTF-8 only, a size limit, a depth limit, and no object with the same key twice: readers
 * disagree about which one counts (RFC 7493; OCI image-spec, canonicalization), and a document that
 * means two things must not have one digest. Keys such as "__proto__" are ordinary keys of the result.
 */
import { BockerError } from "../base/errors.ts";

const DEPTH_MAX = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The index behind the string that starts at `start` (a quote) of valid JSON. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; ; i++) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH) i++;
    else if (c === QUOTE) return i + 1;
  }
}

/** What is wrong with the structure of `text`, which is valid JSON; undefined when nothing is. */
function structuralFault(text: string): string | undefined {
  /** One set of keys per open object, undefined per open array. */
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{" || c === "[") {
      open.push(c === "{" ? new Set() : undefined);
      if (open.length > DEPTH_MAX) return `is nested deeper than ${DEPTH_MAX} levels`;
    } else if (c === "}" || c === "]") {
      open.pop();
    } else if (c === '"') {
      const end = endOfString(text, i);
      const keys = open.at(-1);
      let after = end;
      while (/[ \t\r\n]/.test(text[after] ?? "")) after++;
      if (keys !== undefined && text[after] === ":") {
        const key = JSON.parse(text.slice(i, end)) as string;
        if (keys.has(key)) return `has the key ${JSON.stringify(key)} twice`;
        keys.add(key);
      }
      i = end - 1;
    }
  }
  return undefined;
}

/** The value of a JSON document. `what` names it in errors, which are BockerError("corrupt"). */
export function parseJson(bytes: Uint8Array, what: string, limit = 4 << 20): unknown {
  if (bytes.length > limit) {
    throw new BockerError("corrupt", `${what} is larger than ${limit} bytes`);
  }
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw new BockerError("corrupt", `${what} is not valid JSON`, { cause });
  }
  const fault = structuralFault(text);
  if (fault !== undefined) throw new BockerError("corrupt", `${what} ${fault}`);
  return value;
}
