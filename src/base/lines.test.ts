import { expect, test } from "bun:test";
import { linesWith } from "./lines.ts";

test.each([
  ["", []],
  ["a", ["a"]],
  ["a\n", ["a"]],
  ["b\n", []],
  ["b\nxaya\n\nc\na", ["xaya", "a"]],
  ["a\na\nb", ["a", "a"]],
])("%j", (text, lines) => {
  expect(linesWith(text, "a")).toEqual(lines);
});
