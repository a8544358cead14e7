/** The engine itself at its limits: no descriptors, no processes, no memory. It says so, and nothing is left. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupDirectories } from "../../src/cgroup/layout.ts";
import { busyboxSandbox } from "../e2e/busybox.ts";
import type { Result, Sandbox } from "../e2e/sandbox.ts";
import { untilSync } from "../e2e/wait.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  sandbox.ok(["run", "--rm", "-p", "80", "busybox", "true"]);
});
afterAll(() => sandbox.remove());

const RUN = ["run", "--rm", "--name", "kay", "-p", "80", "-v", "/anonymous", "busybox", "true"];

/** `run --rm` in a shell that says how it ended. */
const shell = (...before: string[]) =>
  sandbox.execute(["sh", "-c", '"$@"; exit $?', "sh", ...before, sandbox.binary, ...RUN]);

/** The JavaScript engine gives up on its own account where it gets no thread or no memory: no time for words. */
const SIGNALLED = [128 + 6, 128 + 9, 128 + 11, 128 + 5];

/** Either all of it, or a word about why not; then everything is as it was. */
function expectAllOrNothing(where: string, { code, stderr }: Result): boolean {
  if (code !== 0 && !SIGNALLED.includes(code)) {
    expect([where, stderr]).toEqual([where, expect.stringMatching(/./)]);
    expect([where, stderr]).toEqual([where, expect.not.stringMatching(/\n\s+at |TypeError|undefined/)]);
  }
  const left = () => sandbox.bocker(["ps", "-q"]).stdout;
  untilSync(() => left() === "");
  sandbox.bocker(["rm", "-v", "kay"]);
  sandbox.bocker(["system", "check", "--repair"]);
  expect([where, sandbox.bocker(["system", "check"]).stdout]).toEqual([where, "Nothing found.\n"]);
  expect([where, sandbox.bocker(RUN)]).toEqual([where, { code: 0, stdout: "", stderr: "" }]);
  return code === 0;
}

test("F7: few descriptors", () => {
  const worked = [8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40, 48, 64, 128].map((limit) => {
    return expectAllOrNothing(`${limit} descriptors`, shell("prlimit", `--nofile=${limit}:${limit}`));
  });
  expect(worked[0]).toBe(false);
  expect(worked.at(-1)).toBe(true);
  const { stderr } = sandbox.execute(["prlimit", "--nofile=16:16", sandbox.binary, ...RUN]);
  expect(stderr).toContain("too many open files");
});

/** A cgroup of this test's in one hierarchy; its own processes come in by way of a shell. */
function limited<T>(controller: string, files: Record<string, string>, body: (enter: string[]) => T): T {
  const name = `bocker-faults-${process.pid}`;
  const parent = readFileSync("/proc/self/cgroup", "utf8")
    .split("\n")
    .find((line) => line.split(":")[1]?.split(",").includes(controller))!
    .split(":")[2]!;
  const root = cgroupDirectories("/").find((directory) => directory.includes(`/${controller}`))!;
  const directory = join(root, parent, name);
  mkdirSync(directory);
  try {
    for (const [file, value] of Object.entries(files)) writeFileSync(join(directory, file), value);
    return body(["sh", "-c", `echo $$ >${directory}/cgroup.procs && exec "$@"`, "sh"]);
  } finally {
    // What was killed in it needs a moment.
    untilSync(() => removed(directory));
  }
}

function removed(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false;
  }
}

test("F8: few processes", () => {
  const worked = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64].map((limit) =>
    limited("pids", { "pids.max": String(limit) }, (enter) =>
      expectAllOrNothing(`${limit} processes`, shell(...enter)),
    ),
  );
  expect(worked[0]).toBe(false);
  expect(worked.at(-1)).toBe(true);
});

describe("F9: no memory", () => {
  test("the engine is killed wherever it is", () => {
    const worked = [4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96].map((mib) =>
      limited("memory", { "memory.limit_in_bytes": `${mib}m` }, (enter) => {
        return expectAllOrNothing(`${mib} MiB`, shell(...enter));
      }),
    );
    expect(worked[0]).toBe(false);
    expect(worked.at(-1)).toBe(true);
  });

  const state = (name: string) =>
    sandbox.ok(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}", name]);

  test("a container that has too much ends with 137 and OOMKilled", () => {
    const hungry = ["sh", "-c", "exec tail /dev/zero"];
    const { code } = sandbox.bocker(["run", "--name", "hungry", "-m", "20m", "busybox", ...hungry]);
    expect(code).toBe(137);
    expect(state("hungry")).toBe("exited 137 true");
    sandbox.ok(["rm", "hungry"]);
  });

  test("a child of the container's that has too much goes alone", () => {
    const script = "tail /dev/zero; echo it ended with $?; sleep 1000";
    sandbox.ok(["run", "-d", "--name", "parent", "-m", "20m", "busybox", "sh", "-c", script]);
    untilSync(() => sandbox.bocker(["logs", "parent"]).stdout !== "");
    expect(sandbox.ok(["logs", "parent"])).toBe("it ended with 137");
    expect(state("parent")).toStartWith("running 0");
    sandbox.ok(["rm", "-f", "parent"]);
  });
});
