/** Whatever is typed is understood or refused with a word for the person at the terminal: nothing crashes, nothing hangs. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { parseDuration } from "../base/duration.ts";
import { BockerError } from "../base/errors.ts";
import { parseExposed, parsePublish } from "../network/ports.ts";
import { parsePlatform } from "../registry/platform.ts";
import { parseFilters } from "./filters.ts";
import { parseMount, parseTmpfs, parseVolume } from "./mounts.ts";
import { compileTemplate } from "./template/render.ts";
import { parseTimestamp } from "./time-values.ts";
import {
  parseCpus,
  parseDetachKeys,
  parseEnvironment,
  parseMap,
  parseSecurityOptions,
  parseSignal,
  parseSize,
  parseUlimit,
  readEnvironmentFile,
  readLabelFile,
} from "./values.ts";

const RUNS = process.env["BOCKER_LONG"] === "1" ? 200_000 : 3000;
const ODD = [
  "__proto__",
  "constructor",
  "toString",
  "\0",
  "\u001b[2J",
  "\u202e",
  "é",
  "\ud800",
  "%",
  "\\",
  "'",
  '"',
];

/** Text made of a grammar's own pieces and of what has nothing to do with it. */
function textOf(...pieces: string[]): fc.Arbitrary<string> {
  const numbers = ["0", "1", "-1", "65535", "65536", "4294967296", "9007199254740993", "1e309", ".5", "0x10"];
  const part = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...pieces) },
    { weight: 3, arbitrary: fc.constantFrom(...numbers) },
    { weight: 1, arbitrary: fc.constantFrom(...ODD) },
    { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
  );
  return fc.array(part, { maxLength: 10 }).map((parts) => parts.join(""));
}

/** The result; undefined where the text is refused as it has to be. */
function parsed<T>(parse: (text: string) => T, text: string): T | undefined {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof BockerError)) throw error;
    expect(["usage", "invalid", "unsupported"]).toContain(error.code);
    expect(error.message.length).toBeGreaterThan(0);
    return undefined;
  }
}

function forAll<T>(
  pieces: string[],
  parse: (text: string) => T,
  holds: (value: T, text: string) => void = () => {},
): void {
  const check = (text: string) => {
    const value = parsed(parse, text);
    if (value !== undefined) holds(value, text);
  };
  fc.assert(fc.property(textOf(...pieces), check), { numRuns: RUNS });
  // In linear time: else this would not end before the runner gives up.
  for (const piece of [...pieces.filter((piece) => piece !== ""), ...ODD]) {
    const text = piece.repeat(Math.ceil(200_000 / piece.length));
    parsed(parse, text);
    parsed(parse, `${text}!`);
  }
}

const isIn = (value: number, least: number, most: number) => {
  expect(Number.isSafeInteger(value)).toBe(true);
  expect(value).toBeGreaterThanOrEqual(least);
  expect(value).toBeLessThanOrEqual(most);
};

test("-p: only ports that there are", () => {
  forAll(
    ["80", "8080", "-", ":", "/tcp", "/udp", "127.0.0.1", "[::1]", "published=", "target=", ","],
    parsePublish,
    (ports) => {
      for (const port of ports) {
        isIn(port.containerPort, 1, 65535);
        isIn(port.hostPortFirst, 0, 65535);
        isIn(port.hostPortLast, port.hostPortFirst, 65535);
        expect(["tcp", "udp", "sctp"]).toContain(port.protocol);
      }
    },
  );
});

test("--expose", () => {
  forAll(["80", "-", "/tcp", "/udp", "7000-7010"], parseExposed, (ports) => {
    for (const { port } of ports) isIn(port, 0, 65535);
  });
});

test("-v, --mount, --tmpfs: an absolute destination that is not the root, without dots", () => {
  const pieces = [
    "/",
    "..",
    ".",
    "a",
    "data",
    ":",
    ",",
    "ro",
    "rw",
    "rshared",
    "type=",
    "bind",
    "volume",
    "tmpfs",
  ];
  const more = ["source=", "src=", "target=", "dst=", "readonly", "=", "tmpfs-size=", "size=1m"];
  for (const parse of [parseVolume, parseMount, parseTmpfs])
    forAll([...pieces, ...more], parse, ({ destination, type, source, name }) => {
      expect(destination).toMatch(/^\/./);
      expect(destination.split("/")).not.toContain("..");
      if (type === "bind") expect(source).toMatch(/^\//);
      if (type === "volume") expect(name).toMatch(/^([a-zA-Z0-9][a-zA-Z0-9_.-]*)?$/);
    });
});

test("sizes, processors, limits, signals", () => {
  forAll(["1", "64", ".", "k", "m", "g", "p", "b", "ib", " ", "-"], parseSize, (size) =>
    isIn(size, 0, Number.MAX_SAFE_INTEGER),
  );
  forAll(["1", "0", ".", "999999", "e"], parseCpus, (cpus) => isIn(cpus, 0, 1e15));
  forAll(["nofile", "=", ":", "1024", "unlimited", "core", "-1"], parseUlimit, ({ soft, hard }) => {
    isIn(soft, -1, 1e15);
    isIn(hard, -1, 1e15);
  });
  forAll(["SIG", "TERM", "kill", "RTMIN", "+", "3", "9"], parseSignal, (signal) => isIn(signal, 1, 64));
});

test("times: whatever is accepted sorts as a time of a log", () => {
  forAll(
    ["1", "30", "2026-11-26", "T", "12", ":", "Z", "+", "-", "05:00", "h", "m", "s", "µs", "."],
    parseTimestamp,
    (time) => expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/),
  );
  forAll(
    ["1", "30", "h", "m", "s", "ms", "."],
    (text) => parseDuration(text) ?? 0,
    (time) => expect(time).not.toBeNaN(),
  );
  expect(parseDuration("-1m30s")).toBe(-90_000);
  expect(parseTimestamp("-90s", Date.UTC(2026, 0, 1))).toBe("2026-01-01T00:01:30.000000000Z");
});

test("-e, labels, filters: no name is a property that every object has", () => {
  const pieces = ["A", "=", "b c", "PATH"];
  forAll(
    pieces,
    (text) => parseEnvironment([text]),
    (entries) => {
      for (const entry of entries) expect(entry).toMatch(/^[^=]+=/);
    },
  );
  forAll(
    pieces,
    (text) => parseMap([text, "__proto__=x"]),
    (map) => {
      expect(Object.entries(map)).toContainEqual(["__proto__", "x"]);
      expect(Object.getPrototypeOf(map)).toBeNull();
    },
  );
  forAll(
    ["name", "label", "=", "a"],
    (text) => parseFilters([text], ["name", "label"]),
    (filters) => {
      for (const key of filters.keys()) expect(["name", "label"]).toContain(key);
    },
  );
});

test("--platform, --detach-keys, --security-opt", () => {
  const own = { os: "linux", architecture: "amd64" };
  forAll(
    ["linux", "/", "amd64", "arm64", "v8", "x86_64"],
    (text) => parsePlatform(text, own),
    (platform) => {
      for (const part of Object.values(platform)) expect(part).toMatch(/^[a-z0-9_.-]*$/);
    },
  );
  forAll(["ctrl-", "a", ",", "p", "@", "["], parseDetachKeys, (keys, text) =>
    expect(keys.length).toBeLessThanOrEqual(text.length),
  );
  forAll(["seccomp", "=", ":", "unconfined", "builtin", "no-new-privileges", "label", "apparmor"], (text) =>
    parseSecurityOptions([text]),
  );
});

test("--format: a template is compiled and filled in, or refused", () => {
  const pieces = [
    "{{",
    "}}",
    ".",
    ".Name",
    "json ",
    "|",
    "if ",
    "else",
    "end",
    "range ",
    "with ",
    "index ",
    "(",
    ")",
  ];
  const data = { Name: "x", Labels: { a: "b" }, List: [1, 2] };
  forAll([...pieces, " ", "$x", ":=", '"text"', "`raw`", "printf ", "/*", "*/", "-}}", "{{- "], (text) =>
    compileTemplate(text)(data),
  );
});

test("environment and label files", () => {
  const directory = mkdtempSync(join(tmpdir(), "bocker-inputs-"));
  const path = join(directory, "file");
  try {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      textOf("A", "=", "b", "\n", "\r\n", "#", " ", "\t", "\ufeff").map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(bytes, (content) => {
        writeFileSync(path, content);
        for (const entry of parsed(readEnvironmentFile, path) ?? [])
          expect(entry).toMatch(/^[^=\s][^=\s]*=[^\n]*$/);
        for (const label of parsed(readLabelFile, path) ?? []) expect(label).toBe(label.trim());
      }),
      { numRuns: Math.min(RUNS, 20_000) },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
