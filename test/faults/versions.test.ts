/** F31: stores that another version of bocker has written, or another program has written into. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { busyboxSandbox } from "../e2e/busybox.ts";
import type { Sandbox } from "../e2e/sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  sandbox.ok(["create", "--name", "kept", "-v", "data:/data", "busybox", "true"]);
});
afterAll(() => sandbox.remove());

function inDatabase<T>(action: (database: Database) => T): T {
  const database = new Database(join(sandbox.data, "state.db"));
  try {
    return action(database);
  } finally {
    database.close();
  }
}
const setVersion = (version: number) =>
  inDatabase((database) => database.run(`PRAGMA user_version=${version}`));
const version = () =>
  inDatabase(
    (database) => database.query<{ user_version: number }, []>("PRAGMA user_version").get()!.user_version,
  );
const content = () =>
  inDatabase((database) =>
    ["containers", "images", "tags", "layers", "volumes"].map((table) =>
      database.query(`SELECT * FROM ${table} ORDER BY 1`).all(),
    ),
  );
const files = () =>
  readdirSync(sandbox.data, { recursive: true, encoding: "utf8" })
    .filter((name) => !/^(state\.db|locks)/.test(name))
    .sort();

test("F31: a newer store is refused by every command with one sentence, and is left as it is", () => {
  const current = version();
  const before = { content: content(), files: files() };
  setVersion(current + 1);
  try {
    for (const words of [
      ["ps", "-a"],
      ["images"],
      ["run", "--rm", "busybox", "true"],
      ["rm", "kept"],
      ["rmi", "busybox"],
      ["init", "/bin", "other"],
      ["volume", "rm", "data"],
      ["system", "check"],
      ["system", "check", "--repair"],
    ]) {
      const { code, stdout, stderr } = sandbox.bocker(words);
      expect([words, code === 1 || code === 125, stdout]).toEqual([words, true, ""]);
      expect([words, stderr]).toEqual([
        words,
        expect.stringContaining(
          `state.db was written by a newer bocker (format ${current + 1}, this one knows ${current}): use that one`,
        ),
      ]);
      expect([words, stderr]).toEqual([words, expect.not.stringMatching(/\n\s+at /)]);
    }
    // What needs no store works.
    sandbox.ok(["version"]);
    sandbox.ok(["run", "--help"]);
    expect({ content: content(), files: files() }).toEqual(before);
  } finally {
    setVersion(current);
  }
  expect(sandbox.ok(["ps", "-aq"]).split("\n")).toHaveLength(1);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("F31: a store whose making was cut off before its version was written is completed, with all that is in it", () => {
  const current = version();
  const before = content();
  // Format 0 is that of a database that has none of its tables, or some.
  setVersion(0);
  inDatabase((database) => database.run("DROP TABLE settings"));
  expect(sandbox.ok(["ps", "-a", "--format", "{{.Names}}"])).toBe("kept");
  expect(version()).toBe(current);
  expect(content()).toEqual(before);
  sandbox.ok(["run", "--rm", "busybox", "true"]);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("F31: a store of version 1, which knew no indexes, is brought up to this one, with all that is in it", () => {
  const current = version();
  const before = content();
  inDatabase((database) => {
    for (const table of ["tags", "digests"]) database.run(`ALTER TABLE ${table} DROP COLUMN image_index`);
    database.run("DROP TABLE indexes");
  });
  setVersion(1);
  expect(sandbox.ok(["images", "-q"])).not.toBe("");
  expect([version(), content()]).toEqual([current, before]);
  sandbox.ok(["tag", "busybox", "named"]);
  sandbox.ok(["rmi", "named"]);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("F31: fields that this version does not know stay in a record that it writes", () => {
  inDatabase((database) => {
    database.run(
      "UPDATE containers SET record = json_set(record, '$.later', 'kept', '$.config.later', 'kept', '$.host.later', 'kept')",
    );
    database.run("UPDATE volumes SET record = json_set(record, '$.later', 'kept')");
    database.run("UPDATE images SET record = json_set(record, '$.later', 'kept')");
    database.run("CREATE TABLE later (key TEXT)");
  });
  expect(sandbox.bocker(["system", "check", "--repair"]).stdout).toBe("Nothing found.\n");
  // A start writes the container's record anew, a tag the image's name.
  sandbox.ok(["start", "-a", "kept"]);
  sandbox.ok(["tag", "busybox", "named"]);
  sandbox.ok(["rmi", "named"]);
  const found = inDatabase((database) => [
    database
      .query(
        "SELECT record->>'$.later' a, record->>'$.config.later' b, record->>'$.host.later' c FROM containers",
      )
      .all(),
    database.query("SELECT record->>'$.later' a FROM images").all(),
    database.query("SELECT name FROM sqlite_schema WHERE name = 'later'").all(),
  ]);
  expect(found).toEqual([[{ a: "kept", b: "kept", c: "kept" }], [{ a: "kept" }], [{ name: "later" }]]);
});

test("F31: files that this version does not know are nobody's business", () => {
  const strangers = [
    "README",
    "later/state",
    "content/README",
    "content/blobs/sha512/abc",
    "content/blobs/sha256/README",
    "overlay/README",
    "overlay/l/README",
    "containers/README",
    "containers/later/file",
  ];
  for (const name of strangers) {
    mkdirSync(dirname(join(sandbox.data, name)), { recursive: true });
    writeFileSync(join(sandbox.data, name), name);
  }
  expect(sandbox.bocker(["system", "check", "--repair"])).toEqual({
    code: 0,
    stdout: "Nothing found.\n",
    stderr: "",
  });
  sandbox.ok(["run", "--rm", "busybox", "true"]);
  sandbox.ok(["tag", "busybox", "named"]);
  sandbox.ok(["rmi", "named"]);
  expect(strangers.filter((name) => !existsSync(join(sandbox.data, name)))).toEqual([]);
  for (const name of strangers) expect(readFileSync(join(sandbox.data, name), "utf8")).toBe(name);
});
