/** What a container wrote, kept by its monitor and read by `logs`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => {
  for (const id of sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean)) sandbox.bocker(["rm", "-f", id]);
  sandbox.remove();
});

const run = (script: string, ...flags: string[]) => {
  const id = sandbox.ok(["run", "-d", "--network", "none", ...flags, "busybox", "sh", "-c", script]);
  sandbox.ok(["wait", id]);
  return id;
};
const entries = (id: string, file = `${id}-json.log`) =>
  readFileSync(join(sandbox.data, "containers", id, file), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("both streams, in order, with times", () => {
  const id = run("echo one; sleep 0.05; echo two >&2; sleep 0.05; printf three");
  expect(sandbox.bocker(["logs", id])).toEqual({ code: 0, stdout: "one\nthree", stderr: "two\n" });
  expect(entries(id).map(({ log, stream }) => [log, stream])).toEqual([
    ["one\n", "stdout"],
    ["two\n", "stderr"],
    ["three", "stdout"],
  ]);
  const [line] = sandbox.ok(["logs", "-t", id]).split("\n");
  expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z one$/);
});

test("tail, since and until", () => {
  const id = run("seq 1 1000; sleep 0.3; seq 1001 1003");
  expect(sandbox.ok(["logs", "-n", "2", id])).toBe("1002\n1003");
  expect(sandbox.ok(["logs", "--tail", "0", id])).toBe("");
  expect(sandbox.ok(["logs", "--tail", "all", id]).split("\n")).toHaveLength(1003);
  const { time } = entries(id)[1000];
  expect(sandbox.ok(["logs", "--since", time, id])).toBe("1001\n1002\n1003");
  expect(sandbox.ok(["logs", "--until", time, id]).split("\n")).toHaveLength(1001);
  expect(sandbox.ok(["logs", "--since", "1h", id]).split("\n")).toHaveLength(1003);
  expect(sandbox.bocker(["logs", "--since", "soon", id]).code).toBe(1);
});

test("-f follows to the end", () => {
  const id = sandbox.ok([
    "run",
    "-d",
    "--network",
    "none",
    "busybox",
    "sh",
    "-c",
    "for i in 1 2 3 4; do echo $i; sleep 0.2; done",
  ]);
  expect(sandbox.ok(["logs", "-f", id])).toBe("1\n2\n3\n4");
});

test("a long line is kept in pieces of 16 KiB and comes out whole", () => {
  const id = run("head -c 100000 /dev/zero | tr '\\0' x; echo; echo next");
  expect(entries(id).map(({ log }) => log.length)).toEqual([
    16384, 16384, 16384, 16384, 16384, 16384, 1697, 5,
  ]);
  expect(sandbox.bocker(["logs", id]).stdout).toBe(`${"x".repeat(100000)}\nnext\n`);
});

test("quotes, control characters and broken UTF-8 do not break the file", () => {
  const id = run("printf '\"\\\\ \\t\\001\\033[1m \\303\\244 \\377\\n'");
  expect(entries(id)[0].log).toBe('"\\ \t\u0001\u001b[1m \u00e4 \ufffd\n');
});

test("rotation keeps the newest files", () => {
  const id = run("seq 1 5000", "--log-opt", "max-size=20k", "--log-opt", "max-file=3");
  const files = readdirSync(join(sandbox.data, "containers", id))
    .filter((name) => name.includes("-json.log"))
    .sort();
  expect(files).toEqual([`${id}-json.log`, `${id}-json.log.1`, `${id}-json.log.2`]);
  const lines = sandbox.ok(["logs", id]).split("\n").map(Number);
  expect(lines.at(-1)).toBe(5000);
  expect(lines.length).toBeLessThan(5000);
  lines.forEach((line, at) => {
    expect(line).toBe(lines[0]! + at);
  });
  expect(sandbox.ok(["logs", "-n", "300", id]).split("\n").map(Number)).toEqual(lines.slice(-300));
});

test("a monitor that was killed while it rotated, or in the middle of an entry, costs no other entry", () => {
  const script = "[ -e /ran ] && exec echo again; seq 1 5000; touch /ran";
  const id = run(script, "--log-opt", "max-size=20k", "--log-opt", "max-file=4");
  const log = join(sandbox.data, "containers", id, `${id}-json.log`);
  const whole = sandbox.ok(["logs", id]);
  expect(whole).toEndWith("\n5000");
  const tail = whole.split("\n").slice(-700).join("\n");
  const same = () => {
    expect(sandbox.ok(["logs", id])).toBe(whole);
    expect(sandbox.ok(["logs", "-f", id])).toBe(whole);
    expect(sandbox.ok(["logs", "--tail", "700", id])).toBe(tail);
  };
  for (const moved of [3, 2, 1, 0]) {
    renameSync(moved === 0 ? log : `${log}.${moved}`, `${log}.${moved + 1}`);
    same();
  }

  writeFileSync(log, '{"log":"cut o');
  same();
  sandbox.ok(["start", id]);
  sandbox.ok(["wait", id]);
  expect(sandbox.ok(["logs", id])).toBe(`${whole}\nagain`);
});

test("a reader beside a log that rotates all the time finds its end, and everything in order", () => {
  const script = "i=0; while :; do i=$((i+1)); echo $i; done";
  const options = ["--log-opt", "max-size=2k", "--log-opt", "max-file=5"];
  const id = sandbox.ok(["run", "-d", "--network", "none", ...options, "busybox", "sh", "-c", script]);
  try {
    for (let i = 0; i < 20; i++) {
      const numbers = sandbox.ok(["logs", "--tail", "60", id]).split("\n").map(Number);
      expect(numbers.length).toBeGreaterThan(1);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
  } finally {
    sandbox.ok(["rm", "-f", id]);
  }
});

test("without a log there is nothing to read", () => {
  const id = run("echo x", "--log-driver", "none");
  expect(sandbox.bocker(["logs", id]).stderr).toBe(
    "Error: configured logging driver does not support reading\n",
  );
  expect(readdirSync(join(sandbox.data, "containers", id)).some((name) => name.includes("log"))).toBe(false);
});
