/** docs/security.md and docs/faults.md say which row is tested where: it has to be true. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** The cells of a page's rows that begin with a letter and a number, as "A1" or "F19". */
const rowsOf = (text: string, letters: string) =>
  text
    .split("\n")
    .filter((line) => new RegExp(`^\\| [${letters}]\\d*(,| …)? `).test(line))
    .map((line) => line.split("|").map((cell) => cell.trim()));

const security = rowsOf(
  readFileSync(join(root, "docs/security.md"), "utf8").split("## Attacked by ourselves")[1]!,
  "A-L",
);
const faults = rowsOf(readFileSync(join(root, "docs/faults.md"), "utf8"), "F");

test("every class of vulnerabilities and every fault is there", () => {
  const classes = new Set(security.map(([, row = ""]) => row[0]));
  expect([...classes].sort().join("")).toBe("ABCDEFGHIJKL");
  const numbers = faults.flatMap(([, row = ""]) =>
    [...row.matchAll(/F(\d+)/g)].map(([, number]) => Number(number)),
  );
  expect(numbers).toEqual(Array.from({ length: 32 }, (_, at) => at + 1));
});

describe.each([
  ["docs/security.md", security],
  ["docs/faults.md", faults],
] as const)("%s", (_, rows) => {
  test("every row says what it is", () => {
    for (const [, row, status, note] of rows) {
      expect([row, ["tested", "n.a.", "open"].includes(status ?? "")]).toEqual([row, true]);
      expect([row, status === "open" || note !== ""]).toEqual([row, true]);
    }
  });

  test("what is called tested is a test of that name in that file", () => {
    for (const [, row = "", status, note = ""] of rows) {
      if (status !== "tested") continue;
      const [, file = "", name] = /^`([^`]+)`(?:: "([^"]+)")?/.exec(note) ?? [];
      const text = readFileSync(join(root, file), "utf8");
      const id = /^([A-L]\d*)/.exec(row)?.[1] ?? "";
      const isThere = name === undefined && file.startsWith("src/") ? true : text.includes(name ?? `"${id} `);
      expect([row, file, name ?? id, isThere]).toEqual([row, file, name ?? id, true]);
    }
  });
});
