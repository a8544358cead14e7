/** A commit that is killed while its container is frozen leaves it so: with cgroup v1 not even SIGKILL would reach it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { cgroupFreezer } from "../../src/cgroup/freezer.ts";
import { busyboxSandbox } from "../e2e/busybox.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { untilSync } from "../e2e/wait.ts";

let sandbox: Sandbox;
let freezer: { path: string; freeze: string; thaw: string };
beforeAll(() => {
  sandbox = busyboxSandbox();
  // Enough for a commit to take a while.
  const program = "dd if=/dev/urandom of=/x bs=1M count=30 2>/dev/null; exec sleep 1000";
  const id = sandbox.ok(["run", "-d", "--name", "busy", "busybox", "sh", "-c", program]);
  freezer = cgroupFreezer(`/bocker/${id}`)!;
  const isReady = () => sandbox.ok(["exec", "busy", "ps"]).includes("sleep 1000");
  untilSync(isReady);
});
afterAll(() => sandbox.remove());

const state = () => readFileSync(freezer.path, "utf8").trim();

/** A commit that is killed as soon as the container is frozen. */
async function cutCommit(): Promise<void> {
  const [program, ...rest] = sandbox.inside([sandbox.binary, "commit", "busy", "of-busy"]);
  const child = spawn(program, rest, { env: sandbox.environment, stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  while (state() === freezer.thaw && child.exitCode === null) await Bun.sleep(1);
  child.kill("SIGKILL");
  await ended;
  expect(state()).not.toBe(freezer.thaw);
}

test("system check names it, and --repair lets it go on", async () => {
  await cutCommit();
  const { code, stdout } = sandbox.bocker(["system", "check", "--repair"]);
  expect([code, stdout]).toEqual([
    1,
    expect.stringContaining("was frozen for a copy that was cut off; it goes on"),
  ]);
  expect(state()).toBe(freezer.thaw);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("what is called paused, and runs since a pause or unpause that was cut off, is called so no more", () => {
  sandbox.ok(["pause", "busy"]);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  sandbox.execute(["sh", "-c", `echo ${freezer.thaw} > ${freezer.path}`]);
  const { code, stdout } = sandbox.bocker(["system", "check", "--repair"]);
  expect([code, stdout]).toEqual([
    1,
    expect.stringContaining("is called paused since a command that was cut off; it runs"),
  ]);
  expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", "busy"])).toBe("running");
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("what others have frozen is left alone, and still goes by force", () => {
  sandbox.execute(["sh", "-c", `echo ${freezer.freeze} > ${freezer.path}`]);
  sandbox.ok(["ps"]);
  expect(state()).not.toBe(freezer.thaw);
  sandbox.ok(["rm", "-f", "busy"]);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});
