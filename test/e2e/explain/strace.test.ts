/** The plan that is printed is the one that is executed: strace(1) watches the launcher of a real run. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseExplanation } from "../../../src/runtime/explain/json.ts";
import type { Operation, Phase } from "../../../src/runtime/plan/operation.ts";
import { BINARY, Sandbox } from "../sandbox.ts";
import { type Call, CallStream, parseTrace, TRACED } from "./trace.ts";

const STRACE = spawnSync("strace", ["-V"]).status === 0;
if (!STRACE) console.warn("SKIPPED: no strace(1)");

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox();
});
afterAll(() => sandbox.remove());

/** Random names are equal in both, so that the rest can be compared. */
function normalized(text: string): string {
  return text.replace(/[0-9a-f]{64}/g, "ID").replace(/veth[0-9a-f]{7}/g, "vethN");
}

function traced(words: string[]): Call[] {
  const file = join(sandbox.directory, "trace");
  const strace = ["strace", "-f", "-qq", "-s", "8192", "-o", file, "-e", `trace=${TRACED.join(",")}`];
  const { code, stderr } = sandbox.execute([...strace, BINARY, ...words]);
  if (code !== 0) throw new Error(stderr);
  return parseTrace(normalized(readFileSync(file, "utf8")));
}

function check(options: string[]): void {
  const words = (extra: string[]) => ["run", "--rm", "--hostname", "traced", ...extra, ...options];
  const { plan } = parseExplanation(normalized(sandbox.ok(words(["--explain=json"]))));
  const calls = traced(words([]));
  const clone = calls.find(({ name, text }) => name === "clone3" && text.includes("CLONE_NEWNS"));
  const monitor = clone?.pid ?? 0;
  const container = Number(/= (\d+)$/.exec(clone?.text ?? "")?.[1]);
  const operations = (...phases: Phase[]): Operation[] =>
    phases.flatMap((phase) => plan.operations.filter((operation) => operation.phase === phase));

  const ofMonitor = calls.filter(({ pid }) => pid === monitor);
  // The first is the launcher's own birth, by the engine.
  const born = ofMonitor.findIndex(({ name, text }) => name.startsWith("execve") && text.endsWith("= 0"));
  const host = new CallStream(ofMonitor.slice(born + 1));
  host.follow(operations("host", "host-after", "started", "ended", "cleanup"));
  expect(host.undecided()).toEqual([]);

  const ofContainer = calls.filter(({ pid }) => pid === container);
  const program = ofContainer.findIndex(({ name, text }) => name === "execve" && text.endsWith("= 0"));
  expect(program).toBeGreaterThan(0);
  const inside = new CallStream(ofContainer.slice(0, program + 1));
  inside.follow(operations("container"));
  expect(inside.undecided()).toEqual([]);
}

describe.skipIf(!STRACE)("the launcher", () => {
  test("does what --explain=json says and nothing else", () => {
    sandbox.ok(["run", "--rm", "host", "true"]);
    check(["host", "true"]);
  });

  test("does it with ports, limits, mounts, another user and a read-only root", () => {
    const limits = "-p 18080:80 -m 64m --cpus 0.5 --pids-limit 50 --ulimit nofile=100:200".split(" ");
    const mounts = "--tmpfs /scratch --read-only -v /usr/share:/data:ro -w /usr/lib".split(" ");
    const identity = "-u 1000:1000 --cap-drop ALL --security-opt no-new-privileges -e A=b".split(" ");
    check([...limits, ...mounts, ...identity, "host", "true"]);
  });

  test("does it without a network, and without a filter", () => {
    check(["--network", "none", "host", "true"]);
    check(["--network", "host", "--privileged", "host", "true"]);
  });
});
