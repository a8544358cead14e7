/** What goes into a container and comes out of it: every byte, in order, on its own stream. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import { BINARY, type Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

const RUN = ["run", "--rm", "--network", "none"];
/** A shell's answer; $BOCKER is `bocker run …` in the sandbox. */
function shell(script: string): string {
  const words = sandbox.inside([BINARY, ...RUN]).join(" ");
  return execFileSync("sh", ["-c", script.replaceAll("$BOCKER", words)], {
    env: sandbox.environment,
    encoding: "utf8",
    cwd: sandbox.directory,
  }).trim();
}

test("standard input arrives byte for byte, and its end, too", () => {
  const bytes = randomBytes(50_000_000);
  writeFileSync(join(sandbox.directory, "input"), bytes);
  expect(shell("$BOCKER -i busybox cat < input | sha256sum")).toBe(
    `${createHash("sha256").update(bytes).digest("hex")}  -`,
  );
  expect(shell("head -c 12345 input | $BOCKER -i busybox wc -c")).toBe("12345");
  expect(shell("$BOCKER -i busybox cat < /dev/null; echo $?")).toBe("0");
});

test("without -i there is no input", () => {
  expect(sandbox.bocker([...RUN, "busybox", "cat"], "never seen").stdout).toBe("");
  expect(sandbox.bocker([...RUN, "busybox", "readlink", "/proc/self/fd/0"]).stdout).toBe("/dev/null\n");
});

test("both outputs stay apart, and can be opened by name", () => {
  const script = "echo out; echo err >&2; echo more > /dev/stdout; echo last > /proc/self/fd/2";
  for (const user of ["root", "ada"])
    expect(sandbox.bocker([...RUN, "-u", user, "busybox", "sh", "-c", script])).toEqual({
      code: 0,
      stdout: "out\nmore\n",
      stderr: "err\nlast\n",
    });
});

test("a gigabyte keeps its bytes and their order", () => {
  const count = 100_000_000;
  const [here, there] = shell(
    `seq 1 ${count} | sha256sum; $BOCKER --log-driver none host seq 1 ${count} | sha256sum`,
  ).split("\n");
  expect(there).toBe(here!);
});
