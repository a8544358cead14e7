/** Every fuzzer for a few seconds, with what it has found before; and whether a fuzzer finds a bug at all. */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { TARGETS } from "../../fuzz/targets.ts";

const ROOT = join(import.meta.dirname, "../..");
const SECONDS = 3;
const NATIVE = ["plan", "monitor", "log", "netlink"];

const hasCompiler = spawnSync("clang", ["--version"]).status === 0;
if (!hasCompiler) console.error("SKIPPED: fuzzers of the launcher, clang is missing");

function fuzz(target: string): { status: number | null; text: string; executions: number } {
  const words = [join(ROOT, "scripts/fuzz.mjs"), target, "--seconds", String(SECONDS), "--seed", "1"];
  const { status, stdout, stderr } = spawnSync("node", words, { cwd: ROOT, encoding: "utf8" });
  return { status, text: stdout + stderr, executions: Number(/(\d+) executions/.exec(stdout)?.[1] ?? 0) };
}

function expectClean(target: string): void {
  const { status, text, executions } = fuzz(target);
  expect(text).not.toContain("CRASH");
  expect(status).toBe(0);
  expect(executions).toBeGreaterThan(100);
}

const scripts = TARGETS.map(({ name }) => name).filter((name) => name !== "planted-script");

test.each(scripts)("%s: only errors that are expected come out", expectClean);

test("a bug that is planted in a target is found", () => {
  const { status, text } = fuzz("planted-script");
  expect(text).toMatch(/CRASH .*planted-script-[0-9a-f]+\n.*RangeError/);
  expect(status).toBe(1);
});

describe.skipIf(!hasCompiler)("the launcher", () => {
  test.each(NATIVE)("%s: nothing is out of bounds, nothing leaks", expectClean);

  test("what was found once is read each time", () => {
    for (const target of NATIVE)
      expect(readdirSync(join(ROOT, "fuzz/corpus", target)).length).toBeGreaterThan(0);
    expect(existsSync(join(ROOT, "fuzz/corpus/plan/forged-successor"))).toBe(true);
  });

  test("a bug that is planted in a harness is found", () => {
    const { status, text } = fuzz("planted");
    expect(text).toMatch(/CRASH .*planted-crash-[0-9a-f]+\n.*(index|global-buffer-overflow)/);
    expect(status).toBe(1);
  });
});
