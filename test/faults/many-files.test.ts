/**
 * A layer of so many files that a thread makes them (src/os/new-files.ts), whose calls are killed and fail: as for all
 * others, the command has its whole effect, or says what has failed, and nothing is left.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/base/digest.ts";
import { Sandbox } from "../e2e/sandbox.ts";
import { expectMended, expectRepeatable, injected, type Verb, type World } from "./verbs.ts";

const DIRECTORIES = 50;
const FILES = 30;
const NAME = "many:latest";

let world: Pick<World, "sandbox">;
let archive: string;
let whole: string;

/** A digest of all files of the image, as a container has them. */
function digestOfFiles(): string {
  const { sandbox } = world;
  sandbox.ok(["create", "--name", "shown", NAME, "none"]);
  const { stdout, code } = sandbox.execute([
    "sh",
    "-c",
    '"$1" export shown >"$2"; tar -tvf "$2" usr | sha256sum; tar -xOf "$2" usr | sha256sum',
    "sh",
    sandbox.binary,
    join(sandbox.directory, "exported.tar"),
  ]);
  sandbox.ok(["rm", "shown"]);
  expect(code).toBe(0);
  return digestOf(stdout);
}

/** Whatever the umask. */
function writeFile(path: string, content: string, mode: number): void {
  writeFileSync(path, content);
  chmodSync(path, mode);
}

beforeAll(() => {
  const sandbox = new Sandbox();
  world = { sandbox };
  const tree = join(sandbox.directory, "tree");
  for (let at = 0; at < DIRECTORIES; at++) {
    const directory = join(tree, `usr/share/d${at}`);
    mkdirSync(directory, { recursive: true });
    for (let file = 0; file < FILES; file++)
      writeFile(join(directory, `f${file}`), `${at} ${file}\n`.repeat(file * 30), 0o600 + (at % 64));
    symlinkSync(`f${at % FILES}`, join(directory, "link"));
  }
  archive = join(sandbox.directory, "many.tar");
  sandbox.ok(["init", tree, NAME]);
  whole = digestOfFiles();
  sandbox.ok(["save", "-o", archive, NAME]);
  sandbox.ok(["rmi", NAME]);
  rmSync(tree, { recursive: true });
}, 100_000);
afterAll(() => world.sandbox.remove());

const LOAD: Verb = {
  words: () => ["load", "-q", "-i", archive],
  undo: () => void world.sandbox.bocker(["rmi", "-f", NAME]),
  worked: () => world.sandbox.bocker(["inspect", NAME]).code === 0 && digestOfFiles() === whole,
};

/** Loads, and lets something happen at one of the thread's calls: no other thread makes so many. */
const loaded = (call: string, at: number, what: string) => {
  LOAD.undo();
  const result = injected(world as World, call, at, what, LOAD.words(), "threads");
  expect([call, at, result.happened]).toEqual([call, at, true]);
  return result;
};

const CALLS: [call: string, at: number][] = [
  ["openat", 700],
  ["openat", 1450],
  ["write", 800],
  ["fchmod", 350],
  ["utimensat", 600],
  ["mkdirat", 30],
  ["symlinkat", 35],
];

test.each(CALLS)(
  "killed at %s %d",
  (call, at) => {
    loaded(call, at, "signal=SIGKILL");
    expectMended(world as World, `load, ${call} ${at}`);
    expectRepeatable(world as World, LOAD, `load, ${call} ${at}`);
  },
  100_000,
);

test.each(CALLS)(
  "%s %d fails once: the engine does it in its own way, and nothing is missing",
  (call, at) => {
    const { code, stderr } = loaded(call, at, "error=EIO");
    expect([code, stderr]).toEqual([0, ""]);
    expect(LOAD.worked()).toBe(true);
    LOAD.undo();
  },
  100_000,
);
