/** E65: an archive of a million empty files (BOCKER_LONG=1), or of a hundred thousand, that is a few MB compressed. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { BINARY, Sandbox } from "../e2e/sandbox.ts";

const COUNT = process.env["BOCKER_LONG"] === "1" ? 1_000_000 : 100_000;
/** What the engine may need, in MiB: as much for a million as for a hundred. */
const MEMORY_MAX = 400;

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox();
});
afterAll(() => sandbox.remove());

/** A header of ustar for an empty file. */
function header(name: string): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, "latin1");
  for (const [at, value] of [
    [100, "0000644\0"],
    [108, "0000000\0"],
    [116, "0000000\0"],
    [124, "00000000000\0"],
    [136, "00000000000\0"],
    [148, "        "],
    [156, "0"],
    [257, "ustar\0"],
    [263, "00"],
  ] as const)
    block.write(value, at, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** Written in members of gzip, which are one archive. */
function writeArchive(path: string): number {
  const fd = openSync(path, "w");
  let size = 0;
  const part = 10_000;
  for (let first = 0; first < COUNT; first += part) {
    const blocks = Array.from({ length: part }, (_, at) => header(`d${(first + at) % 100}/f${first + at}`));
    size += writeSync(fd, gzipSync(Buffer.concat(blocks)));
  }
  size += writeSync(fd, gzipSync(Buffer.alloc(1024)));
  closeSync(fd);
  return size;
}

/**
 * Exit code, and the most memory it had, in MiB. What a process forked counts for what it executes then, and this one
 * may be large: something small stands between.
 */
function measured(words: string[]): { code: number; stderr: string; memory: number } {
  const script = `import os, sys
pid = os.fork()
if pid == 0:
    os.dup2(2, 1)
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)`;
  const { stdout, stderr } = sandbox.execute(["python3", "-c", script, BINARY, ...words]);
  const [code = -1, kibibytes = 0] = stdout.split(" ").map(Number);
  return { code, stderr, memory: kibibytes / 1024 };
}

test("E65 many empty files cost time, not memory", () => {
  const archive = join(mkdtempSync(join(sandbox.directory, "many-")), "archive.tar.gz");
  expect(writeArchive(archive)).toBeLessThan(COUNT * 60);
  const result = measured(["import", archive, "many"]);
  expect(result).toMatchObject({ code: 0, stderr: expect.stringMatching(/^sha256:[0-9a-f]{64}\n$/) });
  expect(result.memory).toBeGreaterThan(10);
  expect(result.memory).toBeLessThan(MEMORY_MAX);
  const layer = JSON.parse(sandbox.ok(["inspect", "many"]))[0].GraphDriver.Data.UpperDir;
  expect(sandbox.execute(["sh", "-c", `find ${layer} -type f | wc -l`]).stdout.trim()).toBe(String(COUNT));
  sandbox.ok(["rmi", "many"]);
  rmSync(archive);
}, 600_000);
