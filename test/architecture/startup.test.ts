/**
 * What commands load before they do anything, held to a budget: every module and every kilobyte of code costs each
 * start some microseconds (docs/performance.md). Raise a number only for what every such command needs.
 */
import { expect, test } from "bun:test";
import { loadedBy, sourceText } from "./sources.ts";

interface Loaded {
  modules: number;
  kilobytes: number;
  /** Modules of the runtime. */
  builtin: string[];
}

/** What is left of a source when it runs: without types and comments, which cost nothing. */
const transpiler = new Bun.Transpiler({ loader: "ts", minifyWhitespace: true });

/** Everything that is there once these files are. */
function load(...entries: string[]): Loaded {
  const files = new Set<string>();
  const builtin = new Set<string>();
  const visit = (path: string) => {
    if (!path.endsWith(".ts")) {
      if (!path.endsWith(".json")) builtin.add(path);
      return;
    }
    if (files.has(path)) return;
    files.add(path);
    for (const target of loadedBy(path)) visit(target);
  };
  entries.forEach(visit);
  const bytes = [...files].reduce((sum, path) => sum + transpiler.transformSync(sourceText(path)).length, 0);
  return { modules: files.size, kilobytes: Math.ceil(bytes / 1000), builtin: [...builtin].sort() };
}

/** What every command loads that needs the state; of the storage drivers the one that most have. */
const ENGINE = ["wiring.ts", "storage/overlay/driver.ts"];

const BUDGET: [command: string, entries: string[], modules: number, kilobytes: number, builtin: string[]][] =
  [
    ["--version", ["main.ts"], 22, 50, []],
    ["version", ["main.ts", "cli/version.ts"], 26, 52, []],
    ["run", ["main.ts", "cli/run.ts", ...ENGINE], 91, 181, ["bun:sqlite"]],
    ["exec", ["main.ts", "cli/exec.ts", ...ENGINE], 90, 174, ["bun:sqlite"]],
    ["ps", ["main.ts", "cli/ps.ts", ...ENGINE], 49, 97, ["bun:sqlite"]],
  ];

test.each(BUDGET)("%s loads little", (_, entries, modules, kilobytes, builtin) => {
  const loaded = load(...entries);
  expect(loaded.builtin).toEqual(builtin);
  expect(loaded.modules).toBeLessThanOrEqual(modules);
  expect(loaded.kilobytes).toBeLessThanOrEqual(kilobytes);
  // A budget that is far from what is used guards nothing.
  expect(loaded.modules).toBeGreaterThan(modules * 0.8);
  expect(loaded.kilobytes).toBeGreaterThan(kilobytes * 0.8);
});
