import { expect, test } from "bun:test";
import { parseEvent } from "./events.ts";

const LINE =
  '{"Type":"container","Action":"die","Actor":{"ID":"a1","Attributes":{"image":"i","exitCode":"label","execDuration":"3","exitCode":"0"}},"scope":"local","time":1790000000,"timeNano":1790000000123456789}';
const MESSAGE = {
  type: "container",
  action: "die",
  id: "a1",
  attributes: { image: "i", execDuration: "3", exitCode: "0" },
  time: 1790000000123456789n,
};

test("a line; what the monitor adds counts more than a label of the same name", () => {
  expect(parseEvent(LINE)).toEqual(MESSAGE);
});

test("a line whose predecessor was cut off", () => {
  for (const cut of [1, 10, 100, LINE.length - 1])
    expect(parseEvent(LINE.slice(0, cut) + LINE)).toEqual(MESSAGE);
});

test.each([
  "",
  "{}",
  "null",
  LINE.slice(0, -1),
  LINE.slice(1),
  LINE.replace('"a1"', "1"),
  LINE.replace('"i"', "[]"),
  LINE.replace('"Actor"', '"actor"'),
  LINE.replace(/,"timeNano".*/, "}"),
])("none: %s", (line) => {
  expect(parseEvent(line)).toBeUndefined();
});
