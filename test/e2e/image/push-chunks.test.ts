/** `push` to registries that do not take a blob at once. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../sandbox.ts";
import { Registry, Service } from "./registry.ts";

const MIB = 1 << 20;
const SERVER = join(import.meta.dirname, "limiting-server.ts");

let sandbox: Sandbox;
let registry: Registry;
let port = 5100;
beforeAll(async () => {
  sandbox = new Sandbox();
  registry = await Registry.start(sandbox, "127.0.0.1:5000");
  const root = join(sandbox.directory, "root");
  mkdirSync(root);
  // It cannot be compressed.
  execFileSync("dd", ["if=/dev/urandom", `of=${root}/random`, "bs=1M", "count=25", "status=none"]);
  sandbox.ok(["init", root, "large"]);
});
afterAll(async () => {
  await registry?.stop();
  sandbox.remove();
});

/** Pushes through such a server, pulls from the registry itself, and has the lines that the server has printed. */
async function pushed(limit: number, breaking: number, settings: object = {}): Promise<string[]> {
  const host = `127.0.0.1:${++port}`;
  const words = [process.execPath, SERVER, String(port), "5000", String(limit), String(breaking)];
  const server = await Service.start(sandbox, words, "stub is up");
  try {
    const path = join(sandbox.directory, "registries.json");
    writeFileSync(path, JSON.stringify(settings));
    const name = `${host}/chunks/${port}:1`;
    sandbox.ok(["tag", "large", name]);
    const result = sandbox.execute(["env", `BOCKER_REGISTRIES=${path}`, sandbox.binary, "push", "-q", name]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    sandbox.ok(["rmi", name]);
    const id = sandbox.ok(["inspect", "-f", "{{.Id}}", "large"]);
    expect(sandbox.ok(["pull", "-q", `127.0.0.1:5000/chunks/${port}:1`])).toContain(`chunks/${port}:1`);
    expect(sandbox.ok(["inspect", "-f", "{{.Id}}", `127.0.0.1:5000/chunks/${port}:1`])).toBe(id);
    return server.output.split("\n").filter((line) => /^(PUT|PATCH|GET)/.test(line));
  } finally {
    await server.stop();
  }
}
const sizes = (lines: string[]) =>
  lines.filter((line) => line.startsWith("PATCH")).map((line) => Number(line.split(" ")[1]));

test("one that says 413 gets chunks that it takes, each after the other", async () => {
  const lines = await pushed(6 * MIB, 0);
  expect(lines[0]).toMatch(/^PUT 26\d{6} -$/);
  // 10 MiB are too many as well.
  expect(sizes(lines).slice(0, 2)).toEqual([10 * MIB, 5 * MIB]);
  const ranges = lines.map((line) => /^PATCH \d+ (\d+)-(\d+)$/.exec(line)).filter((match) => match !== null);
  const [refused, ...taken] = ranges.map(([, first, last]) => [Number(first), Number(last)] as const);
  expect(refused![0]).toBe(0);
  // The configuration, which is small, is last.
  const configuration = taken.pop();
  expect(configuration?.[0]).toBe(0);
  expect(taken.map(([first]) => first)).toEqual([0, ...taken.slice(0, -1).map(([, last]) => last + 1)]);
});

test("an upload in chunks that breaks off is begun anew where the registry does not know how much it has", async () => {
  const lines = await pushed(6 * MIB, 3, { "upload-chunk-size": 6 * MIB });
  expect(lines.filter((line) => line.startsWith("PUT 2"))).toEqual([]);
  expect(lines.some((line) => line.startsWith("GET 0"))).toBe(true);
  // Five chunks of 25 MiB, three of them twice.
  expect(sizes(lines).filter((size) => size === 6 * MIB).length).toBe(7);
});

test("one that takes hardly anything is given up", async () => {
  await expect(pushed(1000, 0)).rejects.toThrow();
});

test("a chunk size must be one", () => {
  const path = join(sandbox.directory, "registries.json");
  writeFileSync(path, JSON.stringify({ "upload-chunk-size": 5 }));
  sandbox.ok(["tag", "large", "127.0.0.1:5000/x"]);
  const { code, stderr } = sandbox.execute([
    "env",
    `BOCKER_REGISTRIES=${path}`,
    sandbox.binary,
    "push",
    "127.0.0.1:5000/x",
  ]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("upload-chunk-size")]);
});
