import { expect, test } from "bun:test";
import { humanSize } from "./human.ts";
import { LiveLines, progressBar } from "./progress.ts";

test("sizes as Docker prints them", () => {
  expect([0, 999, 1000, 6_669_000, 28_565_893, 1.5e15].map((size) => humanSize(size, 4))).toEqual([
    "0B",
    "999B",
    "1kB",
    "6.669MB",
    "28.57MB",
    "1.5PB",
  ]);
});

test("bars are empty, half and full, and left out where there is no room", () => {
  expect(progressBar(0, 100, 200)).toBe(`[>${" ".repeat(49)}]       0B/100B`);
  expect(progressBar(50, 100, 200)).toBe(`[${"=".repeat(25)}>${" ".repeat(24)}]      50B/100B`);
  expect(progressBar(100, 100, 200)).toBe(`[${"=".repeat(50)}]     100B/100B`);
  expect(progressBar(5, 0, 200)).toContain(`[${"=".repeat(50)}]`);
  expect(progressBar(50, 100, 80)).toBe("50B/100B");
});

test("lines are drawn over, those that still change first, and all of them at the end", async () => {
  let written = "";
  const lines = new LiveLines(
    (text) => {
      written += text;
    },
    () => ({ rows: 3, columns: 12 }),
  );
  lines.set("a", "a: done", true);
  lines.set("b", "b: \x1b[2Jbusy", false);
  lines.set("c", "c: busy and long", false);
  await new Promise((resolve) => setTimeout(resolve, 80));
  expect(written).toBe("\r\x1b[2Kb: \\u001b[2\n\r\x1b[2Kc: busy and\n\x1b[J");
  written = "";
  lines.end();
  expect(written).toStartWith("\x1b[2A\r\x1b[2Ka: done\n");
  written = "";
  lines.end();
  expect(written).toBe("");
});
