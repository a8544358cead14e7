import { expect, test } from "bun:test";
import { digestFromHex, digestHex, digestOf, isDigest, parseDigest, shortDigest } from "./digest.ts";

const EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test("a digest is computed, parsed and shortened", () => {
  expect(digestOf("")).toBe(EMPTY);
  expect(parseDigest(EMPTY)).toBe(EMPTY);
  expect(digestFromHex(digestHex(EMPTY))).toBe(EMPTY);
  expect(shortDigest(EMPTY)).toBe("e3b0c44298fc");
});

test.each([
  ["", "invalid checksum digest format"],
  ["sha256", "invalid checksum digest format"],
  ["sha256:", "invalid checksum digest format"],
  ["sha256:../../x", "invalid checksum digest length"],
  [`sha256:${"../".repeat(21)}x`, "invalid checksum digest format"],
  [EMPTY.toUpperCase(), "unsupported digest algorithm"],
  [`sha256:${EMPTY.slice(7).toUpperCase()}`, "invalid checksum digest format"],
  [`${EMPTY}\n`, "invalid checksum digest length"],
  [`sha512:${"a".repeat(128)}`, "unsupported digest algorithm"],
])("%p is no digest", (text, message) => {
  expect(isDigest(text)).toBe(false);
  expect(() => parseDigest(text)).toThrow(message);
});
