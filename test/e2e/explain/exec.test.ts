/** `exec --explain`: the plan of an exec, and the script that does the same. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../sandbox.ts";

const PAYLOAD =
  "id; pwd; echo $A; umask; cat /proc/self/cgroup; grep -E '^(Cap|NoNewPrivs)' /proc/self/status; readlink /proc/self/ns/*; hostname; exit 9";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox();
  sandbox.ok(["run", "-d", "--name", "box", "-m", "64m", "host", "sleep", "1000"]);
});
afterAll(() => {
  sandbox.bocker(["rm", "-f", "box"]);
  sandbox.remove();
});

test("the script makes the process that bocker makes", () => {
  const words = ["-e", "A=1", "-u", "5:6", "-w", "/tmp", "box", "sh", "-c", PAYLOAD];
  const script = join(sandbox.directory, "exec.sh");
  writeFileSync(script, sandbox.ok(["exec", "--explain=sh", ...words]));
  const real = sandbox.bocker(["exec", ...words]);
  const copy = sandbox.execute(["sh", script]);
  expect(real.code).toBe(9);
  expect(real.stdout).toContain("uid=5");
  expect(copy).toEqual(real);
  const checked = spawnSync("shellcheck", ["-s", "sh", script], { encoding: "utf8" });
  if (checked.error === undefined) expect(checked.stdout).toBe("");
});

test("the text and the plan are of one object", () => {
  const text = sandbox.ok(["exec", "--explain", "box", "true"]);
  expect(text).toContain("join the container's mount, uts, ipc, network and cgroup namespaces");
  const { operations } = JSON.parse(sandbox.ok(["exec", "--explain=json", "box", "true"])).plan;
  for (const { what } of operations)
    if (!what.includes("/bocker/")) expect(text.replace(/\s+/g, " ")).toContain(what);
  expect(sandbox.bocker(["exec", "--explain", "nope", "true"]).stderr).toBe(
    "Error: No such container: nope\n",
  );
});
