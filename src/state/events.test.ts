import { afterAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { appendEvents, type Event, eventHead, recordEvents } from "./events.ts";
import { pathsOf } from "./paths.ts";

const directory = mkdtempSync(join(tmpdir(), "bocker-events-"));
afterAll(() => rmSync(directory, { recursive: true }));

const EVENT: Event = { type: "container", action: "start", id: "1".repeat(64), attributes: { name: "a" } };
const parsed = (event: Event) => JSON.parse(`${eventHead(event)}}}}`);

test("a label gives way to what the engine says, whatever its name", () => {
  const labels = { name: "b", constructor: "c", 'quote"d\n': "ü" };
  expect(parsed({ ...EVENT, labels }).Actor.Attributes).toEqual({
    name: "a",
    constructor: "c",
    'quote"d\n': "ü",
  });
});

test("what makes a line too long is left out, the rest stays", () => {
  const labels = { long: "x".repeat(20_000), short: "y", wide: "ü".repeat(5000), last: "z" };
  const event = { ...EVENT, action: `exec_start: ${"\u0001".repeat(5000)}`, labels };
  expect(Buffer.byteLength(eventHead(event))).toBeLessThan(16_384 - 256);
  expect(parsed(event).Actor.Attributes).toEqual({ name: "a", short: "y", last: "z" });
  expect(parsed(event).Action).toHaveLength(1000);
});

test("lines of one moment are one write; the file is root's alone", () => {
  const paths = pathsOf(join(directory, "data"), directory);
  recordEvents(paths, []);
  expect(existsSync(join(directory, "events"))).toBe(false);
  recordEvents(paths, [EVENT, { ...EVENT, action: "die" }]);
  const lines = readFileSync(join(directory, "events"), "utf8").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).Action)).toEqual(["start", "die"]);
  for (const line of lines) expect(line).toMatch(/"scope":"local","time":(\d{10}),"timeNano":\1\d{9}\}$/);
  expect(statSync(join(directory, "events")).mode & 0o777).toBe(0o600);
});

test("a journal that cannot be written is no failure", () => {
  const nowhere = pathsOf(join(directory, "data"), join(directory, "missing"));
  expect(() => recordEvents(nowhere, [EVENT])).not.toThrow();
});

/** A process of its own that appends lines "WRITER NUMBER filling". */
const WRITER = `
import { appendEvents } from ${JSON.stringify(join(import.meta.dirname, "events.ts"))};
const [path, writer, count, limit] = process.argv.slice(-4);
for (let i = 0; i < Number(count); i++)
  appendEvents(path, writer + " " + i + " " + "x".repeat((i * 37) % 9000) + "\\n", Number(limit));
`;

async function race(path: string, writers: string[], count: number, limit: number): Promise<void> {
  const script = join(directory, "writer.ts");
  writeFileSync(script, WRITER);
  await Promise.all(
    writers.map((writer) => {
      const child = spawn(process.execPath, [script, path, writer, String(count), String(limit)], {
        stdio: "inherit",
      });
      return new Promise((resolve) => child.once("exit", resolve));
    }),
  );
}

const linesOf = (path: string) => readFileSync(path, "utf8").trimEnd().split("\n");
/** Whoever has rotated it last may have been the last to write. */
const keptIn = (path: string) => [...linesOf(`${path}.1`), ...(existsSync(path) ? linesOf(path) : [])];

test("writers that race mix no lines and lose none", async () => {
  const path = join(directory, "race");
  const writers = ["a", "b", "c"];
  await race(path, writers, 300, 1 << 30);
  const lines = linesOf(path);
  for (const line of lines) {
    const [, number = ""] = line.split(" ", 2);
    expect(line).toMatch(/^[abc] \d+ x*$/);
    expect(line.split(" ")[2]).toHaveLength((Number(number) * 37) % 9000);
  }
  for (const writer of writers)
    expect(lines.filter((line) => line.startsWith(writer)).map((line) => line.split(" ")[1])).toEqual(
      Array.from({ length: 300 }, (_, number) => String(number)),
    );
}, 30_000);

test("writers that race rotate once: what is older than both files only is gone", async () => {
  const path = join(directory, "rotated");
  const limit = 400_000;
  await race(path, ["a", "b", "c"], 300, limit);
  // Each file was renamed by whoever made it too large, or by one who raced with that one.
  expect(statSync(`${path}.1`).size).toBeGreaterThan(limit);
  expect(statSync(`${path}.1`).size).toBeLessThan(limit + 10 * 9000);
  const kept = keptIn(path);
  for (const writer of ["a", "b", "c"]) {
    const numbers = kept.filter((line) => line.startsWith(writer)).map((line) => Number(line.split(" ")[1]));
    const first = numbers[0] ?? 300;
    expect(numbers.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 300 - first }, (_, at) => first + at),
    );
  }
}, 30_000);

test("a journal that others have rotated is found again", () => {
  const path = join(directory, "small");
  for (let i = 0; i < 20; i++) appendEvents(path, `${i} ${"x".repeat(60)}\n`, 200);
  const kept = keptIn(path).map((line) => Number(line.split(" ")[0]));
  expect(kept.at(-1)).toBe(19);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => 20 - kept.length + at));
});
