/**
 * Content digests. Promises: a value of type Digest has been checked, so its hex part is safe in a
 * path or a URL; sha256 is the only algorithm (OCI registers sha512 too, which no registry serves).
 * Error texts are those of opencontainers/go-digest.
 */

import { BockerError } from "./errors.ts";
import { createSha256 } from "./hash.ts";

export type Digest = `sha256:${string}`;

const PREFIX = "sha256:";
const HEX_LENGTH = 64;

/** True for one or more characters of 0-9 and a-f. */
export function isLowerHex(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (!((c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x66))) return false;
  }
  return text.length > 0;
}

export function isDigest(text: string): text is Digest {
  return (
    text.length === PREFIX.length + HEX_LENGTH &&
    text.startsWith(PREFIX) &&
    isLowerHex(text.slice(PREFIX.length))
  );
}

/** "sha256:" and 64 lower-case hexadecimal digits, or BockerError("invalid"). */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const colon = text.indexOf(":");
  if (colon <= 0 || colon === text.length - 1) {
    throw new BockerError("invalid", "invalid checksum digest format");
  }
  if (text.slice(0, colon) !== "sha256") throw new BockerError("invalid", "unsupported digest algorithm");
  if (text.length - colon - 1 !== HEX_LENGTH) {
    throw new BockerError("invalid", "invalid checksum digest length");
  }
  throw new BockerError("invalid", "invalid checksum digest format");
}

/** The digest with these 64 hexadecimal digits. */
export function digestFromHex(hex: string): Digest {
  return parseDigest(PREFIX + hex);
}

/** The 64 digits behind "sha256:". */
export function digestHex(digest: Digest): string {
  return digest.slice(PREFIX.length);
}

/** The 12 digits that Docker prints. */
export function shortDigest(digest: Digest): string {
  return digestHex(digest).slice(0, 12);
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `${PREFIX}${createSha256().update(bytes).digest("hex")}`;
}
