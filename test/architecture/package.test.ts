/** What is published and what is written into the repository. */
import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VERSION } from "../../src/version.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (name: string) => readFileSync(join(ROOT, name), "utf8");
const manifest = JSON.parse(read("package.json"));

test("the program and the package have one version", () => {
  expect(manifest.version).toBe(VERSION);
  for (const version of Object.values(manifest.optionalDependencies)) expect(version).toBe(VERSION);
  expect(read("CHANGELOG.md")).toContain(`## ${VERSION}`);
});

test("the lock file names no registry", () => {
  expect(read("package-lock.json")).not.toContain('"resolved"');
});

test("both packages install from their archives, and the program runs", () => {
  const directory = mkdtempSync(join(tmpdir(), "bocker-pack-"));
  try {
    const npm = (words: string[], cwd: string) =>
      execFileSync("npm", [...words, "--offline", "--loglevel=error"], { cwd, encoding: "utf8" });
    execFileSync("node", [join(ROOT, "scripts/package.mjs")]);
    const packages = [ROOT, join(ROOT, `packages/linux-${process.arch}`)];
    const archives = packages.map((path) => join(directory, npm(["pack", path], directory).trim()));
    const target = join(directory, "target");
    mkdirSync(target);
    writeFileSync(join(target, "package.json"), "{}");
    npm(["install", "--no-audit", "--no-fund", ...archives], target);
    const run = (program: string, ...words: string[]) =>
      execFileSync(join(target, "node_modules/.bin", program), words, { encoding: "utf8" });
    expect(run("bocker", "--version")).toBe(`bocker version ${VERSION}\n`);
    expect(run("bocker-classic", "help")).toContain("bocker-classic run <image_id> <command>");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
