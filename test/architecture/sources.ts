/** The sources, and what each imports. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export const SRC = join(import.meta.dirname, "../../src");

/** Every TypeScript file of src, relative to it. */
export const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((path) =>
  path.endsWith(".ts"),
);

export function sourceText(path: string): string {
  return readFileSync(join(SRC, path), "utf8");
}

/** Without imports of which only types are needed: those are gone when the program runs. */
function withoutTypes(text: string): string {
  return text.replace(/^(import|export) type [^;]*;/gm, "");
}

function resolved(path: string, target: string): string {
  return relative(SRC, join(SRC, dirname(path), target));
}

/** Files that a source imports, relative to src; with `values`, not those of which it only needs types. */
export function importsOf(path: string, values = false): string[] {
  const text = values ? withoutTypes(sourceText(path)) : sourceText(path);
  const found = text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...found].map(([, target]) => resolved(path, target!)).filter((target) => target.endsWith(".ts"));
}

/** What is there as soon as a source is: its static imports of values, files relative to src or names of modules. */
export function loadedBy(path: string): string[] {
  const statements = withoutTypes(sourceText(path)).matchAll(
    /^(?:import|export)\b(?:[^;]*?\bfrom)?\s*"([^"]+)"[^;]*;/gm,
  );
  return [...statements]
    .filter(([statement]) => {
      const names = /\{([^}]*)\}/.exec(statement)?.[1];
      const hasDefault = /^import \w/.test(statement);
      // import { type A, type B } loads nothing.
      return (
        hasDefault ||
        names === undefined ||
        names.split(",").some((name) => name.trim() !== "" && !name.trim().startsWith("type "))
      );
    })
    .map(([, target]) => (target!.startsWith(".") ? resolved(path, target!) : target!));
}
