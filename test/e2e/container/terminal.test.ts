/** -t: a real terminal, its size, its keys, and leaving it without ending the program. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import { BINARY, type Sandbox } from "../sandbox.ts";

type Step = [typed: string | { size: [rows: number, columns: number] }, awaited: string];

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => {
  sandbox.bocker(["rm", "-f", "kept", "keys"]);
  sandbox.remove();
});

/** Output and exit code of command lines that are typed at, one after the other. */
function typed(...runs: [words: string[], steps: Step[]][]): [output: string, code: number][] {
  const script = runs.map(([words, steps]) => [sandbox.inside([BINARY, ...words]), steps]);
  return JSON.parse(
    execFileSync("python3", [join(import.meta.dirname, "terminal.py"), JSON.stringify(script)], {
      env: sandbox.environment,
      encoding: "utf8",
    }),
  );
}

const RUN = ["run", "-it", "--network", "none"];

test("the program has a terminal of its own, which follows the size of ours", () => {
  const [[output, code] = ["", -1]] = typed([
    [...RUN, "--rm", "busybox", "sh", "-c", "tty; ls -l /dev/console; read a; stty size; read b; exit 4"],
    [
      ["", "console"],
      [{ size: [33, 77] }, ""],
      ["\n", "33 77"],
      ["\n", ""],
    ],
  ]);
  expect(output).toContain("/dev/pts/0\r\n");
  expect(output).toMatch(/crw--w---- +1 root +\S+ +136, +0 .* \/dev\/console/);
  expect(output).toContain("33 77\r\n");
  expect(code).toBe(4);
});

test("Ctrl-C is the program's key", () => {
  const [[output, code] = ["", -1]] = typed([
    [
      ...RUN,
      "--rm",
      "busybox",
      "sh",
      "-c",
      "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.1; done",
    ],
    [
      ["", "ready"],
      ["\x03", "interrupted"],
    ],
  ]);
  expect(output).toContain("interrupted");
  expect(code).toBe(5);
});

test("Ctrl-P Ctrl-Q leaves it running, attach comes back", () => {
  const [left, back] = typed(
    [
      [...RUN, "--name", "kept", "busybox", "sh"],
      [
        ["echo one$((1))\n", "one1"],
        ["\x10\x11", ""],
      ],
    ],
    [["attach", "kept"], [["echo two$((2)); exit 6\n", "two2"]]],
  );
  expect(left![1]).toBe(0);
  expect(back![0]).toContain("two2");
  expect(back![1]).toBe(6);
  expect(sandbox.ok(["inspect", "-f", "{{.State.ExitCode}}", "kept"])).toBe("6");
});

test("the keys can be others, and half of them are the program's", () => {
  const [[output, code] = ["", -1]] = typed([
    [
      ...RUN,
      "--name",
      "keys",
      "--detach-keys",
      "ctrl-x,q",
      "busybox",
      "sh",
      "-c",
      "stty raw; echo ready; cat -v",
    ],
    [
      ["", "ready"],
      ["\x18a\x10", "^P"],
      ["\x18q", ""],
    ],
  ]);
  expect(output).toContain("^Xa^P");
  expect(code).toBe(0);
  expect(sandbox.ok(["inspect", "-f", "{{.State.Running}}", "keys"])).toBe("true");
});

test("exec -t has a terminal in the container", () => {
  const [[output, code] = ["", -1]] = typed([
    ["exec", "-it", "keys", "sh", "-c", 'tty; read word; echo "<$word>"; exit 7'],
    [
      ["", "/dev/pts/"],
      ["word\n", "<word>"],
    ],
  ]);
  expect(output).toMatch(/\/dev\/pts\/\d+\r\n/);
  expect(code).toBe(7);
});

test("a pipe is no terminal", () => {
  const { code, stderr } = sandbox.bocker([...RUN, "--rm", "busybox", "true"], "x");
  expect(code).toBe(125);
  expect(stderr).toContain("the input device is not a TTY");
  expect(sandbox.ok(["ps", "-q", "-n", "9", "-f", "status=created"])).toBe("");
});
