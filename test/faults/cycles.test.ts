/** A thousand runs and a thousand execs (BOCKER_LONG=1), or a tenth: the machine has no more of anything afterwards. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../e2e/busybox.ts";
import { cgroupNames } from "../e2e/cgroups.ts";
import { statusField } from "../e2e/container/kernel.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { settled } from "../e2e/wait.ts";
import { countsOf } from "./counts.ts";

const counts = () => countsOf(sandbox);
const COUNT = process.env["BOCKER_LONG"] === "1" ? 1000 : 100;

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  // What comes once has come, for each way of starting.
  for (let i = 0; i < 3; i++)
    sandbox.ok(["run", "--rm", "-p", "80", "-v", "/x", "-m", "32m", "busybox", "true"]);
});
afterAll(() => sandbox.remove());

function ended(words: string[], killAfter?: number): Promise<number | null> {
  const [program, ...rest] = sandbox.inside([sandbox.binary, ...words]);
  const child = spawn(program, rest, { env: sandbox.environment, stdio: "ignore" });
  if (killAfter !== undefined) setTimeout(() => child.kill("SIGKILL"), killAfter);
  return new Promise((resolve) => child.once("exit", resolve));
}

/** `count` of them, so many at a time. */
async function several(count: number, atOnce: number, body: (at: number) => Promise<void>): Promise<void> {
  const numbers = Array.from({ length: count }, (_, at) => at).values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const at of numbers) await body(at);
    }),
  );
}

test("whoever opens the database reads its log, and that does not grow with what has been", async () => {
  await several(COUNT, 1, async () => {
    expect(await ended(["create", "--network", "none", "busybox", "true"])).toBe(0);
  });
  expect(statSync(join(sandbox.data, "state.db-wal")).size).toBeLessThan(1.5 * 2 ** 20);
  sandbox.ok(["container", "prune", "-f"]);
}, 600_000);

test("F13: runs with a port, one after the other and many at once", async () => {
  const before = await settled(counts, counts());
  const made = new Set<string>();
  const run = async (at: number) => {
    const file = join(sandbox.directory, `cid${at}`);
    const limits = ["--cidfile", file, "-p", "80", "-v", "/x", "-m", "32m"];
    expect(await ended(["run", "--rm", ...limits, "busybox", "true"])).toBe(0);
    made.add(readFileSync(file, "utf8"));
    rmSync(file);
  };
  await several(COUNT, 1, run);
  await several(COUNT / 5, 16, run);
  expect(await settled(counts, before)).toEqual(before);
  expect(made.size).toBe(COUNT + COUNT / 5);
  expect(cgroupNames().filter((id) => made.has(id))).toEqual([]);
}, 600_000);

test("F14: execs into one container, a third of their clients killed", async () => {
  sandbox.ok(["run", "-d", "--name", "target", "busybox", "sleep", "100000"]);
  const monitor = Number(
    statusField(Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", "target"])), "PPid"),
  );
  const state = async () => ({
    ...(await settled(counts, counts())),
    fds: readdirSync(`/proc/${monitor}/fd`).length,
    processes: sandbox.ok(["exec", "target", "ps"]).split("\n").length,
  });
  const before = await state();
  await several(COUNT, 4, async (at) => {
    const code = await ended(["exec", "target", "true"], at % 3 === 0 ? at % 20 : undefined);
    if (at % 3 !== 0) expect(code).toBe(0);
  });
  expect(await settled(state, before)).toEqual(before);
  sandbox.ok(["rm", "-f", "target"]);
}, 600_000);
