/** One gzip stream out of many blocks, that everybody can read. */
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { ParallelGzip } from "./parallel-gzip.ts";

async function packed(blocks: Buffer[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  const gzip = new ParallelGzip((bytes) => parts.push(bytes));
  for (const block of blocks) await gzip.add(block);
  await gzip.finish();
  return Buffer.concat(parts);
}

const text = (size: number) => Buffer.alloc(size, "the same words again and again, ");

test.each([
  ["nothing", []],
  ["an empty block", [Buffer.alloc(0)]],
  ["one", [text(100)]],
  ["many", Array.from({ length: 20 }, (_, at) => (at % 3 === 0 ? randomBytes(70_000) : text(1 << 20)))],
])("%s", async (_, blocks) => {
  const whole = Buffer.concat(blocks);
  const bytes = await packed(blocks);
  expect(gunzipSync(bytes).equals(whole)).toBe(true);
  const { stdout, status } = spawnSync("gzip", ["-dc"], { input: bytes, maxBuffer: 1 << 28 });
  expect([status, stdout.equals(whole)]).toEqual([0, true]);
  // No dates, no names: the same again.
  expect((await packed(blocks)).equals(bytes)).toBe(true);
});

test("what the writer throws comes out, and is not lost among the blocks", async () => {
  let writes = 0;
  const gzip = new ParallelGzip(() => {
    if (++writes === 3) throw new Error("full");
  });
  const add = async () => {
    for (let at = 0; at < 30; at++) await gzip.add(text(1000));
  };
  expect(add()).rejects.toThrow("full");
});
