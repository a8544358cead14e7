/** Flags in a table: found by name and letter, and nothing else is found. */
import { expect, test } from "bun:test";
import { CREATE_FLAGS, RUN_FLAGS } from "./container-flags.ts";
import { FlagTable } from "./flag-table.ts";
import { parseFlags } from "./flags.ts";

const table = new FlagTable(`
-c, --cpus string=decimal    Number of CPUs
    --init bool              First line\\nsecond line
    --ipc string
`);

test("a line has letter, kind, the value's name and help; without help it is not supported", () => {
  expect(table.byName("cpus")).toEqual({
    name: "cpus",
    short: "c",
    kind: "string",
    value: "decimal",
    help: "Number of CPUs",
  });
  expect(table.byName("init")).toEqual({ name: "init", kind: "bool", help: "First line\nsecond line" });
  expect(table.byName("ipc")).toEqual({ name: "ipc", kind: "string", help: "", unsupported: true });
  expect(table.byShort("c")).toMatchObject({ name: "cpus" });
});

test("what is no flag is not found", () => {
  for (const name of ["", "cpu", "pus", "cpus string=decimal", "Number", "-cpus"])
    expect(table.byName(name)).toBeUndefined();
  for (const letter of ["", "N", ",", " ", "-"]) expect(table.byShort(letter)).toBeUndefined();
});

test("every flag of run can be looked up, and no name or letter is there twice", () => {
  for (const flags of [CREATE_FLAGS, RUN_FLAGS]) {
    const all = flags.all();
    expect(all.length).toBeGreaterThan(95);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    const letters = all.flatMap(({ short }) => (short === undefined ? [] : [short]));
    expect(new Set(letters).size).toBe(letters.length);
    for (const flag of all) {
      expect(flags.byName(flag.name)).toEqual(flag);
      expect(["bool", "string", "int", "list", "optional"]).toContain(flag.kind);
      if (flag.short !== undefined) expect(flags.byShort(flag.short)).toEqual(flag);
    }
  }
});

test("--help is every command's", () => {
  expect(parseFlags(table, ["--help"]).bool("help")).toBe(true);
  expect(() => parseFlags(table, ["--ipc", "host"])).toThrow("not supported yet");
});
