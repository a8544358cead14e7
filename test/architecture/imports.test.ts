/** The layout of ARCHITECTURE.md, held: who may import whom, no cycles, no file that nobody can find or read. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { importsOf, SRC, sources, sourceText } from "./sources.ts";

const ROOT = join(SRC, "..");
const LINES_MAX = 500;

/** What each room may import besides itself. Doors import no doors, rooms no rooms. */
const GROUND = ["base", "spec", "os"];
const ROOMS = ["images", "registry", "storage", "network", "cgroup", "runtime", "monitor"];
const ALLOWED: Record<string, string[]> = {
  base: [],
  spec: ["base"],
  os: ["base"],
  state: GROUND,
  ...Object.fromEntries(ROOMS.map((room) => [room, [...GROUND, "state"]])),
  engine: [...GROUND, "state", ...ROOMS],
  cli: [...GROUND, "state", ...ROOMS, "engine"],
};

const isTest = (path: string) => path.endsWith(".test.ts");

const roomOf = (path: string) => (path.includes("/") ? path.split("/")[0]! : path);

test("every import goes the allowed way", () => {
  const wrong: string[] = [];
  for (const path of sources.filter(
    (source) => !isTest(source) && source !== "main.ts" && source !== "wiring.ts",
  ))
    for (const target of importsOf(path)) {
      const [from, to] = [roomOf(path), roomOf(target)];
      if (from !== to && to !== "version.ts" && !ALLOWED[from]?.includes(to))
        wrong.push(`${path} -> ${target}`);
    }
  expect(wrong).toEqual([]);
});

test("every folder of src is a room that is known here", () => {
  const folders = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).sort()).toEqual(Object.keys(ALLOWED).sort());
});

test("no import leads in a circle", () => {
  const state = new Map<string, "open" | "done">();
  const circles: string[] = [];
  const visit = (path: string, trail: string[]) => {
    if (state.get(path) === "done" || !existsSync(join(SRC, path))) return;
    if (state.get(path) === "open") {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    state.set(path, "open");
    for (const target of importsOf(path, true)) visit(target, [...trail, path]);
    state.set(path, "done");
  };
  for (const path of sources) visit(path, []);
  expect(circles).toEqual([]);
});

test("no file is too long, and none is called after what it is not", () => {
  const length = (path: string) => sourceText(path).split("\n").length;
  expect(sources.filter((path) => length(path) > LINES_MAX)).toEqual([]);
  const vague = /(^|\/)(utils?|helpers?|common|misc|shared|lib)(\.ts|\/)/;
  expect(sources.filter((path) => vague.test(path))).toEqual([]);
});

test("only os/ knows the runtime, nothing exports a default", () => {
  const found = sources.filter((path) => {
    const text = sourceText(path);
    const knowsBun = /\bBun\.|from "bun:/.test(text) && !path.startsWith("os/") && !isTest(path);
    return knowsBun || /^export default/m.test(text);
  });
  expect(found).toEqual([]);
});

test("every file says what it is for", () => {
  const silent = sources.filter((path) => !isTest(path) && !sourceText(path).startsWith("/**"));
  expect(silent).toEqual([]);
});

/** Everything that is TypeScript here, but for the table of all system calls. */
const everySource = [...new Bun.Glob("{src,test,bench,scripts,fuzz}/**/*.{ts,mjs}").scanSync(ROOT)].filter(
  (path) => path !== "src/runtime/seccomp/syscalls.ts",
);

test("nothing is exported that nobody imports", () => {
  const filesWith = new Map<string, number>();
  for (const path of everySource)
    for (const word of new Set(readFileSync(join(ROOT, path), "utf8").match(/[A-Za-z_]\w*/g)))
      filesWith.set(word, (filesWith.get(word) ?? 0) + 1);
  // Types are part of what others are given, also where nobody names them.
  const exported = /^export (?:async )?(?:const|function\*?|class|let) (\w+)/gm;
  const unused = sources
    .filter((path) => !isTest(path))
    .flatMap((path) => [...sourceText(path).matchAll(exported)].map(([, name]) => `${path}: ${name}`))
    .filter((line) => filesWith.get(line.split(": ")[1]!) === 1);
  expect(unused).toEqual([]);
});
