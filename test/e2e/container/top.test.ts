/** top: against the machine's own ps. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { untilSync } from "../wait.ts";

let sandbox: Sandbox;
let pid: number;
beforeAll(() => {
  sandbox = busyboxSandbox();
  const words = ["run", "-d", "--name", "many", "--network", "none", "-u", "65534", "busybox"];
  sandbox.ok([...words, "sh", "-c", "sleep  1001 & sleep 1002 & exec sh -c 'sleep 1003; true'"]);
  sandbox.ok(["exec", "-d", "-u", "12345", "many", "sleep", "1004"]);
  sandbox.ok(["exec", "-d", "-t", "-u", "0", "many", "sh", "-c", "while :; do :; done"]);
  pid = Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", "many"]));
  untilSync(() => top().length >= 7);
});
afterAll(() => {
  sandbox.ok(["rm", "-f", "many"]);
  sandbox.remove();
});

const rows = (text: string) => text.split("\n").map((line) => line.trim().split(/\s+/));
const top = (...options: string[]) => rows(sandbox.ok(["top", "many", ...options]));

test("all processes, and no other, as ps shows them", () => {
  Bun.sleepSync(300);
  const [titles, ...mine] = top();
  expect(titles).toEqual(["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
  expect(mine.map(([uid, , , , , , , ...command]) => `${uid} ${command.join(" ")}`).sort()).toEqual([
    "12345 sleep 1004",
    "nobody sh -c sleep 1003; true",
    "nobody sleep 1001",
    "nobody sleep 1002",
    "nobody sleep 1003",
    "root sh -c while :; do :; done",
  ]);
  expect(mine.map(([, id]) => Number(id))).toContain(pid);
  const ids = mine.map(([, id]) => id).join(",");
  const theirs = rows(execFileSync("ps", ["-fp", ids], { encoding: "utf8" }).trimEnd()).slice(1);
  // The share of the processor, and the time, of the one that spins go on meanwhile; its terminal ps does not find here.
  const still = (row: string[]) => row.filter((_, column) => ![3, 5, 6].includes(column)).join(" ");
  const order = (all: string[][]) => all.map(still).sort();
  expect(order(mine)).toEqual(order(theirs));
  const spinning = mine.find(([uid]) => uid === "root")!;
  expect(Number(spinning[3])).toBeGreaterThan(0);
  expect(spinning[5]).toMatch(/^pts\/\d+$/);
});

test("with options it is ps that answers", () => {
  const [titles, ...found] = top("-eo", "pid,comm,args");
  expect(titles).toEqual(["PID", "COMMAND", "COMMAND"]);
  expect(found).toHaveLength(6);
  expect(found).toContainEqual([String(pid), "sh", "sh", "-c", "sleep", "1003;", "true"]);
  expect(top("aux")[0]!.slice(0, 3)).toEqual(["USER", "PID", "%CPU"]);
  expect(top("aux")).toHaveLength(7);
  const refused = (...options: string[]) => sandbox.bocker(["top", "many", ...options]);
  expect(refused("-eo", "comm").stderr).toBe("Error: Couldn't find PID field in ps output\n");
  expect(refused("--nonsense").stderr).toMatch(/^Error: ps: error: unknown gnu long option\n$/);
  expect(refused("--nonsense").code).toBe(1);
});

test("of what does not run there is nothing", () => {
  const id = sandbox.ok(["create", "--name", "idle", "busybox", "true"]);
  expect(sandbox.bocker(["top", "idle"])).toEqual({
    code: 1,
    stdout: "",
    stderr: `Error: container ${id} is not running\n`,
  });
  sandbox.ok(["rm", "idle"]);
});
