/** IPv4 addresses as 4 bytes and as text. */
import { BockerError } from "./errors.ts";

/** Dotted quad to bytes. Only the strict form: four decimal numbers 0–255 without leading zeros. */
export function parseIpv4(text: string): Uint8Array {
  const bytes = tryParseIpv4(text);
  if (bytes === undefined) throw new BockerError("invalid", `not an IPv4 address: ${JSON.stringify(text)}`);
  return bytes;
}

/** The same, undefined when the text is anything else. */
export function tryParseIpv4(text: string): Uint8Array | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = match[i + 1] as string;
    const value = Number(part);
    if (value > 255 || (part.length > 1 && part.startsWith("0"))) return undefined;
    bytes[i] = value;
  }
  return bytes;
}

export function formatIpv4(bytes: Uint8Array): string {
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
}
