import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "./constants.ts";
import { close, openat } from "./files.ts";
import { type NewFile, NewFiles } from "./new-files.ts";
import { umask } from "./processes.ts";

let directory: string;
let root: number;
let refused: { tag: string; data: string; there: number }[];
let made: Map<string, string>;
let files: NewFiles<string>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bocker-new-"));
  mkdirSync(join(directory, "root"));
  root = openat(AT_FDCWD, join(directory, "root"), O_RDONLY | O_DIRECTORY);
  refused = [];
  made = new Map();
  files = newFiles();
});

afterEach(() => {
  files.close();
  close(root);
  rmSync(directory, { recursive: true });
});

function newFiles(): NewFiles<string> {
  return new NewFiles(root, {
    made: (tag, identity) => made.set(tag, identity),
    refused: (tag, data) =>
      refused.push({ tag, data: data.toString("latin1"), there: readdirSync(at(".")).length }),
  });
}

const at = (path: string) => join(directory, "root", path);
const threads = () => readdirSync("/proc/self/task").length;

function add(kind: NewFile["kind"], path: string, content: string | Buffer = "", more: object = {}): void {
  const slash = path.lastIndexOf("/");
  const data = Buffer.from(content as string);
  const [parent, name] = [slash < 0 ? "." : path.slice(0, slash), path.slice(slash + 1)].map((text) =>
    Buffer.from(text),
  ) as [Buffer, Buffer];
  const mtime = { sec: 1_000_000_000, nsec: 7 };
  files.add({ kind, parent, name, mode: 0o644, uid: 0, gid: 0, mtime, size: data.length, ...more }, path);
  // As they come: in pieces.
  files.data(data.subarray(0, data.length >> 1));
  files.data(data.subarray(data.length >> 1));
}

test("files of several batches have their bytes, and all that describes them", () => {
  const content = (number: number) => Buffer.alloc((number * 7919) % 60_000, `${number} `);
  add("directory", "d", "", { mode: 0o1777 });
  for (let number = 0; number < 200; number++)
    add("file", `d/${number}`, content(number), { mode: number % 0o1000, uid: number, gid: number % 2 });
  add("symlink", "d/link", "../../outside", { uid: 5, gid: 6 });
  files.drain();
  expect(refused).toEqual([]);
  for (let number = 0; number < 200; number++) {
    const stat = lstatSync(at(`d/${number}`));
    expect(readFileSync(at(`d/${number}`)).equals(content(number))).toBe(true);
    expect([stat.mode & 0o7777, stat.uid, stat.gid]).toEqual([number % 0o1000, number, number % 2]);
    expect([stat.mtimeMs, stat.atimeMs]).toEqual([1e12, 1e12]);
  }
  expect(lstatSync(at("d")).mode & 0o7777).toBe(0o1777);
  expect(made.get("d")).toEndWith(`:0:${lstatSync(at("d")).ino}`);
  const link = lstatSync(at("d/link"));
  expect([readlinkSync(at("d/link")), link.uid, link.gid, link.mtimeMs]).toEqual([
    "../../outside",
    5,
    6,
    1e12,
  ]);
});

test("times are before 1970 and after 2106, too", () => {
  add("file", "early", "", { mtime: { sec: -3, nsec: 0 } });
  add("file", "late", "", { mtime: { sec: 2 ** 32 + 5, nsec: 0 } });
  files.drain();
  expect(["early", "late"].map((name) => lstatSync(at(name)).mtimeMs)).toEqual([-3000, (2 ** 32 + 5) * 1000]);
});

test.each([
  ["of root, born with its mode", 0],
  ["of another, whose chown would clear them", 1000],
])("setuid and setgid bits stay: %s", (_, uid) => {
  add("file", "f", "x", { mode: 0o6755, uid });
  add("directory", "d", "", { mode: 0o2775, uid });
  add("file", "d/inherits", "x", { mode: 0o644, uid, gid: 7 });
  files.drain();
  expect(["f", "d", "d/inherits"].map((name) => lstatSync(at(name)).mode & 0o7777)).toEqual([
    0o6755, 0o2775, 0o644,
  ]);
  expect(lstatSync(at("d/inherits")).gid).toBe(7);
});

test("whatever the umask, and the group of a setgid directory", () => {
  const before = umask(0o077);
  try {
    add("directory", "d", "", { mode: 0o2777, gid: 7 });
    add("directory", "d/e", "", { mode: 0o755 });
    add("file", "d/f", "x", { mode: 0o666 });
    files.drain();
  } finally {
    umask(before);
  }
  const seen = ["d", "d/e", "d/f"].map((name) => lstatSync(at(name)));
  expect(seen.map(({ mode, gid }) => [mode & 0o7777, gid])).toEqual([
    [0o2777, 7],
    [0o755, 0],
    [0o666, 0],
  ]);
});

test("what is in the way is refused in its turn: all before it is there, nothing behind it", () => {
  writeFileSync(at("500"), "old");
  symlinkSync("nowhere", at("700"));
  mkdirSync(at("900"));
  for (let number = 0; number < 1000; number++) add("file", `${number}`, "x".repeat(4000));
  files.drain();
  expect(refused.map(({ tag, data, there }) => [tag, data.length, there])).toEqual([
    ["500", 4000, 500 + 3],
    ["700", 4000, 700 + 2],
    ["900", 4000, 900 + 1],
  ]);
  expect(readdirSync(at("."))).toHaveLength(1000);
  expect(readFileSync(at("500"), "utf8")).toBe("old");
  expect(existsSync(at("nowhere"))).toBe(false);
});

test("a directory that is missing, names with a NUL, and what leaves the root", () => {
  mkdirSync(join(directory, "outside"));
  symlinkSync("../outside", at("up"));
  symlinkSync(join(directory, "outside"), at("away"));
  add("file", "none/f", "1");
  add("file", "a\0b", "2");
  add("directory", "c\0d");
  add("symlink", "s", "x\0y");
  for (const parent of ["up", "away", "..", "/", "up/../.."]) add("file", `${parent}/f`, "3");
  files.drain();
  expect(refused.map(({ tag }) => tag)).toEqual([
    "none/f",
    "a\0b",
    "c\0d",
    "s",
    "up/f",
    "away/f",
    // The root's own ".." is the root: there is one f now.
    "//f",
    "up/../../f",
  ]);
  expect(readdirSync(at(".")).sort()).toEqual(["away", "f", "up"]);
  expect(readdirSync(directory).sort()).toEqual(["outside", "root"]);
  expect(readdirSync(join(directory, "outside"))).toEqual([]);
});

test("a failure of the caller's own leaves no thread", () => {
  const before = threads();
  writeFileSync(at("5"), "");
  const failing = new NewFiles<number>(root, {
    made: () => undefined,
    refused: () => {
      throw new Error("full");
    },
  });
  const addAll = () => {
    for (let number = 0; number < 100; number++) {
      const [parent, name] = [Buffer.from("."), Buffer.from(`${number}`)];
      const mtime = { sec: 0, nsec: 0 };
      failing.add({ kind: "file", parent, name, mode: 0, uid: 0, gid: 0, mtime, size: 200_000 }, number);
      failing.data(Buffer.alloc(200_000));
    }
  };
  expect(addAll).toThrow("full");
  expect(threads()).toBe(before + 1);
  failing.close();
  expect(threads()).toBe(before);
});

test("goes on without a thread where there can be no more", () => {
  const before = threads();
  const others = Array.from({ length: 64 }, newFiles);
  const mine = files;
  const fill = (prefix: string) => {
    for (let number = 0; number < 6; number++)
      add("file", `${prefix}${number}`, Buffer.alloc(200_000, prefix));
  };
  for (const [index, other] of others.entries()) {
    files = other;
    fill(`o${index}-`);
  }
  files = mine;
  expect(threads()).toBe(before + 64);
  fill("mine");
  files.drain();
  expect(threads()).toBe(before + 64);
  expect(readFileSync(at("mine5"), "utf8")).toBe("mine".repeat(50_000));
  for (const other of others) {
    other.drain();
    other.close();
  }
  expect(threads()).toBe(before);
  expect(refused).toEqual([]);
  expect(readdirSync(at("."))).toHaveLength(65 * 6);
});
