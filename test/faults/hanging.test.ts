/** F30: a filesystem that does not answer holds up those who ask it, and nobody else. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { busyboxSandbox } from "../e2e/busybox.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { HangingFilesystem } from "./hanging-filesystem.ts";

const possible = HangingFilesystem.isPossible();
if (!possible) console.warn("SKIPPED: a filesystem that hangs needs /dev/fuse");

describe.skipIf(!possible)("F30: a filesystem hangs", () => {
  let sandbox: Sandbox;
  let filesystem: HangingFilesystem;
  let directory: string;
  let count = 0;
  beforeAll(() => {
    sandbox = busyboxSandbox();
  });
  afterAll(() => sandbox.remove());
  beforeEach(async () => {
    directory = join(sandbox.directory, `hanging${count++}`);
    filesystem = await HangingFilesystem.mount(directory);
    sandbox.ok(["run", "-d", "--name", "other", "busybox", "sleep", "1000"]);
  });
  afterEach(async () => {
    filesystem.goOn();
    await filesystem.remove();
    sandbox.bocker(["rm", "-f", "other", "hung"]);
  });

  function start(...words: string[]): { child: ChildProcess; ended: Promise<number | null> } {
    const [program, ...rest] = sandbox.inside([sandbox.binary, ...words]);
    const child = spawn(program, rest, { env: sandbox.environment, stdio: "ignore" });
    return { child, ended: new Promise((resolve) => child.once("exit", resolve)) };
  }

  /** What has nothing to do with the filesystem, and ends while it hangs: other containers live and end, new ones are made. */
  function othersWork(): void {
    expect(sandbox.ok(["ps", "--format", "{{.Names}}"]).split("\n")).toContain("other");
    expect(sandbox.ok(["exec", "other", "echo", "alive"])).toBe("alive");
    expect(sandbox.ok(["run", "--rm", "busybox", "echo", "new"])).toBe("new");
    sandbox.ok(["images"]);
    sandbox.ok(["system", "check", "--quick"]);
    sandbox.ok(["rm", "-f", "other"]);
  }

  test("under a container that runs: it can be listed, stopped and removed, and others know nothing of it", async () => {
    sandbox.ok(["run", "-d", "--name", "hung", "-v", `${directory}:/data`, "busybox", "sleep", "1000"]);
    filesystem.hang();
    const exec = start("exec", "hung", "ls", "/data");
    await Bun.sleep(500);
    othersWork();
    expect(exec.child.exitCode).toBeNull();
    sandbox.ok(["rm", "-f", "hung"]);
    expect(await exec.ended).toBe(137);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  });

  test("in a request that it has taken: others work, and its container goes when it answers or ends", async () => {
    sandbox.ok(["run", "-d", "--name", "hung", "-v", `${directory}:/data`, "busybox", "sleep", "1000"]);
    const exec = start("exec", "hung", "cat", "/data/never");
    await Bun.sleep(500);
    othersWork();
    const removal = start("rm", "-f", "hung");
    // Not even SIGKILL ends a process in such a request (fs/fuse/dev.c, request_wait_answer): there is nothing to be done.
    await Bun.sleep(2000);
    expect(removal.child.exitCode).toBeNull();
    sandbox.ok(["ps", "-a"]);
    await filesystem.remove();
    expect([await removal.ended, await exec.ended]).toEqual([0, 137]);
    expect(sandbox.ok(["ps", "-aq"])).toBe("");
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  }, 60_000);

  test("before a container is started with it: only that command waits, and it can be killed", async () => {
    filesystem.hang();
    const run = start("run", "--name", "hung", "-v", `${directory}:/data`, "busybox", "true");
    await Bun.sleep(500);
    othersWork();
    expect(run.child.exitCode).toBeNull();
    run.child.kill("SIGKILL");
    await run.ended;
    sandbox.bocker(["rm", "-f", "hung"]);
    expect(sandbox.ok(["ps", "-aq"])).toBe("");
    expect(sandbox.bocker(["system", "check", "--repair"]).stdout).not.toMatch(/lacks|lost|damaged|cannot/);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  });

  test("and goes on: so does the start that has waited for it", async () => {
    filesystem.hang();
    const run = start("run", "--name", "hung", "-v", `${directory}:/data`, "busybox", "true");
    await Bun.sleep(500);
    filesystem.goOn();
    expect(await run.ended).toBe(0);
    expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  });
});
