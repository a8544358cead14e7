/** The small programs that the bench is made of, compiled where it runs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { run } from "./program.ts";

/** Flags of scripts/build.mjs that cost or save time at the start. */
const AS_BOCKER = [
  "--compile",
  "--target=bun",
  "--bytecode",
  "--format=esm",
  "--splitting",
  "--compile-jit-policy=50",
];
const NO_FILES = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];

export function buildTools(directory: string, root: string): Bench["tools"] {
  const target = join(directory, "tools");
  mkdirSync(target, { recursive: true });
  const cc = process.env["CC"] ?? "cc";
  const tools = {
    stopwatch: join(target, "stopwatch"),
    floor: join(target, "floor"),
    empty: join(target, "empty"),
  };
  run([cc, "-O2", "-o", tools.stopwatch, join(root, "bench/stopwatch.c")]);
  run([cc, "-O2", "-static", "-o", tools.floor, join(root, "bench/floor/floor.c")]);
  const source = join(target, "empty.ts");
  writeFileSync(source, "export {};\n");
  run([process.execPath, "build", ...AS_BOCKER, ...NO_FILES, source, "--outfile", tools.empty]);
  return tools;
}
