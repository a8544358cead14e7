/** Paths of `cp`: what is found is what the kernel finds, and where a copy goes is what docker does. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { pathBytes } from "../images/layer/layer-path.ts";
import { openInRoot } from "../images/layer/layer-root.ts";
import { AT_EMPTY_PATH, AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_PATH } from "../os/constants.ts";
import { close, openat, withFd } from "../os/files.ts";
import { isSymlink, statat } from "../os/metadata.ts";
import { isSystemError } from "../os/system-error.ts";
import { assertsDirectory, findPath, placeOf, sourceOf } from "./copy-path.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "bocker-copy-path-"));
  // Beside the root: whoever gets out finds it.
  writeFileSync(join(directory, "a"), "outside");
});
afterAll(() => rmSync(directory, { recursive: true }));

const name = fc.constantFrom("a", "b", "c", "d");
const target = fc
  .tuple(
    fc.boolean(),
    fc.array(fc.oneof({ weight: 3, arbitrary: name }, fc.constantFrom("..", ".")), {
      minLength: 1,
      maxLength: 5,
    }),
    fc.constantFrom("", "", "/", "//"),
  )
  .map(([isAbsolute, parts, end]) => `${isAbsolute ? "/" : ""}${parts.join("/")}${end}`);
const tree = fc.array(
  fc.record({
    at: fc.array(name, { minLength: 1, maxLength: 3 }),
    kind: fc.oneof(fc.constant("directory" as const), fc.constant("file" as const), target),
  }),
  { maxLength: 14 },
);

function make(root: string, entries: { at: string[]; kind: string }[]): void {
  for (const { at, kind } of entries) {
    const path = join(root, ...at);
    try {
      mkdirSync(dirname(path), { recursive: true });
      if (kind === "directory") mkdirSync(path);
      else if (kind === "file") writeFileSync(path, "", { flag: "wx" });
      else symlinkSync(kind, path);
    } catch {
      // Something else is there already, or on the way.
    }
  }
}

/** The identity of what `find` leads to, or the error's name. */
function outcome(find: () => string): string {
  try {
    return find();
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR", "ELOOP")) return error.code;
    throw error;
  }
}

test("what is found is what the kernel finds, without links on the way", () => {
  let round = 0;
  fc.assert(
    fc.property(tree, fc.array(name, { maxLength: 5 }), fc.boolean(), (entries, parts, followsLast) => {
      const path = join(directory, `root${round++}`);
      mkdirSync(path);
      make(path, entries);
      const root = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY);
      try {
        const bytes = parts.map((part) => Buffer.from(part));
        const identity = (fd: number) => withFd(fd, () => statat(fd, "", AT_EMPTY_PATH).identity);
        const kernel = outcome(() =>
          identity(openInRoot(root, bytes, O_PATH | (followsLast ? 0 : O_NOFOLLOW))),
        );
        const ours = outcome(() => {
          const { path: found, stat } = findPath(root, parts.join("/"), followsLast);
          for (let depth = 1; depth < found.length; depth++)
            expect(isSymlink(statat(root, pathBytes(found.slice(0, depth))))).toBe(false);
          if (stat === undefined) return "ENOENT";
          expect(identity(openInRoot(root, found, O_PATH | O_NOFOLLOW))).toBe(stat.identity);
          return stat.identity;
        });
        expect(ours).toBe(kernel);
      } finally {
        close(root);
        rmSync(path, { recursive: true });
      }
    }),
    { numRuns: 1000 },
  );
});

test("what is missing is where it would be made: behind links, inside the root", () => {
  const path = join(directory, "missing");
  mkdirSync(join(path, "real/deep"), { recursive: true });
  symlinkSync("/real/deep", join(path, "link"));
  symlinkSync("../../../a", join(path, "real/dangling"));
  withFd(openat(AT_FDCWD, path, O_PATH | O_DIRECTORY), (root) => {
    const found = (typed: string) => findPath(root, typed, true);
    expect([found("/link/new").stat, `${pathBytes(found("link/new").path)}`]).toEqual([
      undefined,
      "real/deep/new",
    ]);
    expect(`${pathBytes(found("real/dangling").path)}`).toBe("a");
    expect(`${pathBytes(found("../../real/./x/../deep").path)}`).toBe("real/deep");
    expect(() => found("none/new")).toThrow("no such file");
  });
});

describe("where a copy goes", () => {
  const stat = (isDirectory: boolean) => ({ ...statat(AT_FDCWD, isDirectory ? "/" : "/etc/passwd") });
  const components = (path: string) => path.split("/").map((part) => Buffer.from(part));
  const goes = (from: string, isDirectory: boolean, to: string, there?: "directory" | "file") => {
    const found = { path: components(to.replace(/\/$/, "")), stat: there && stat(there === "directory") };
    const place = placeOf(sourceOf(from, stat(isDirectory)), found, to);
    return `${pathBytes(place.directory)} ${place.name}`;
  };

  test.each([
    ["x/f", false, "to", "directory", "to f"],
    ["x/f", false, "to/g", "file", "to g"],
    ["x/f", false, "to/g", undefined, "to g"],
    ["x/d", true, "to", "directory", "to d"],
    ["x/d/", true, "to", "directory", "to d"],
    ["x/d/.", true, "to", "directory", "to ."],
    ["/", true, "to", "directory", "to ."],
    ["x/d", true, "to/e", undefined, "to e"],
    ["x/d/.", true, "to/e", undefined, "to e"],
    ["x/d", true, "to/e/", undefined, "to e"],
    [".", true, "to", "directory", "to ."],
  ] as const)("%s, a directory: %p, to %s, which is a %s", (from, isDirectory, to, there, expected) => {
    expect(goes(from, isDirectory, to, there)).toBe(expected);
  });

  test("what cannot be", () => {
    expect(() => goes("d", true, "to/f", "file")).toThrow("cannot copy directory");
    expect(() => goes("f", false, "to/none/")).toThrow("no such directory");
  });

  test("which paths are those of directories", () => {
    expect(["x/", "x/.", ".", "..", "x/..", "/", ""].filter((path) => !assertsDirectory(path))).toEqual([]);
    expect(["x", "x.", "x..", "...", "a/.b", "a/..."].filter(assertsDirectory)).toEqual([]);
  });
});
