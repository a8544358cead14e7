/** What it costs to start the program at all, and to load it as a library. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { addRow, type Bench, compare, forAll } from "../bench.ts";
import { run } from "../program.ts";

export async function version(bench: Bench): Promise<void> {
  const empty: [string, string[]] = ["empty Bun", [bench.tools.empty]];
  const versions = new Map([...forAll(bench, () => ["version"]), empty]);
  compare(bench, addRow(bench, "version", "version", "version"), versions);
  const helps = new Map([...forAll(bench, () => ["--help"]), empty]);
  compare(bench, addRow(bench, "version", "--help", "--help"), helps);
}

/** The engine without commands, bundled as a program that imports it would have it. */
export async function library(bench: Bench): Promise<void> {
  const directory = join(bench.directory, "library");
  const bun = process.execPath;
  const entries = ["engine/run.ts", "engine/exec.ts", "engine/pull.ts"].map((name) =>
    join(bench.root, "src", name),
  );
  const source = join(bench.directory, "library.ts");
  writeFileSync(source, entries.map((entry) => `export * from ${JSON.stringify(entry)};`).join("\n"));
  run([bun, "build", source, "--target=node", "--format=esm", "--splitting", `--outdir=${directory}`]);
  const script = (name: string, text: string) => {
    const file = join(bench.directory, name);
    writeFileSync(file, text);
    return file;
  };
  const nothing = script("nothing.mjs", "");
  const loads = script("loads.mjs", `await import(${JSON.stringify(join(directory, "library.js"))});`);
  const row = addRow(
    bench,
    "library",
    "library",
    "a script that imports the engine's run, exec and pull, and one that imports nothing",
  );
  const commands = new Map([
    ["Bun, with it", [bun, loads]],
    ["Bun, without", [bun, nothing]],
    ["Node, with it", ["node", loads]],
    ["Node, without", ["node", nothing]],
  ]);
  compare(bench, row, commands);
}
