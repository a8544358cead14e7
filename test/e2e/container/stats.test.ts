/** `stats`: against what containers are known to use. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { until, untilSync } from "../wait.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  const run = (name: string, options: string[], script: string) =>
    sandbox.ok(["run", "-d", "--name", name, ...options, "busybox", "sh", "-c", script]);
  run("busy", ["--network", "none"], "while :; do :; done");
  const full =
    "dd if=/dev/zero of=/dev/shm/x bs=1M count=30 2>/dev/null; sleep 1001 & sleep 1002 & exec sleep 1003";
  run("full", ["--network", "none", "-m", "64m"], full);
  run("talker", [], "dd if=/dev/zero of=/tmp/big bs=1000 count=2000 2>/dev/null; exec httpd -f -h /tmp -p 7");
  sandbox.ok(["create", "--name", "idle", "--network", "none", "busybox", "true"]);
});
afterAll(() => sandbox.remove());

type Stats = Record<string, string>;
const stats = (...words: string[]): Stats[] =>
  sandbox
    .ok(["stats", "--no-stream", "--format", "json", ...words])
    .split("\n")
    .map((line) => JSON.parse(line));
const mebibytes = (text = "") => Number(/^([\d.]+)MiB/.exec(text)?.[1]);

test("processors, memory and processes", () => {
  const [busy] = stats("busy");
  expect(Number(busy!["CPUPerc"]!.replace("%", ""))).toBeGreaterThan(10);
  const memory = () => stats("full")[0]!;
  untilSync(() => mebibytes(memory()["MemUsage"]) >= 30);
  const full = memory();
  expect(mebibytes(full["MemUsage"])).toBeGreaterThanOrEqual(30);
  expect(mebibytes(full["MemUsage"])).toBeLessThan(64);
  expect(full["MemUsage"]).toEndWith(" / 64MiB");
  expect(Number.parseFloat(full["MemPerc"]!)).toBeCloseTo((mebibytes(full["MemUsage"]) / 64) * 100, 1);
  expect([full["PIDs"], full["NetIO"]]).toEqual(["3", "0B / 0B"]);
});

test("the network, both ways", () => {
  const address = sandbox.ok(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "talker"]);
  const get = `until wget -q -O /dev/null http://${address}:7/big; do sleep 0.1; done`;
  sandbox.ok(["run", "--rm", "busybox", "sh", "-c", get]);
  const [talker] = stats("talker");
  const [received, sent] = talker!["NetIO"]!.split(" / ");
  expect(sent).toMatch(/^2(\.\d+)?MB$/);
  expect(received).toMatch(/^[\d.]+kB$/);
});

test("who is shown: those that run, all, or those that are named, also when they do not run", () => {
  const names = (...words: string[]) => stats(...words).map(({ Name }) => Name);
  expect(names().sort()).toEqual(["busy", "full", "talker"]);
  expect(names("-a").sort()).toEqual(["busy", "full", "idle", "talker"]);
  expect(names("full", "idle")).toEqual(["full", "idle"]);
  const [idle] = stats("idle");
  expect(idle).toMatchObject({
    CPUPerc: "0.00%",
    MemUsage: "0B / 0B",
    MemPerc: "0.00%",
    NetIO: "0B / 0B",
    PIDs: "0",
  });
  expect(sandbox.bocker(["stats", "nope"])).toEqual({
    code: 1,
    stdout: "",
    stderr: "Error: No such container: nope\n",
  });
});

test("the table is Docker's, and --no-trunc and templates are followed", () => {
  const [head, line] = sandbox.ok(["stats", "--no-stream", "full"]).split("\n");
  expect(head).toMatch(/^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/);
  expect(line).toMatch(/^[0-9a-f]{12} +full +[\d.]+% +[\d.]+MiB \/ 64MiB +[\d.]+% +0B \/ 0B +\S+ \/ \S+ +3$/);
  const id = sandbox.ok(["inspect", "-f", "{{.Id}}", "full"]);
  expect(
    sandbox.ok([
      "stats",
      "--no-stream",
      "--no-trunc",
      "--format",
      "{{.ID}} {{.Container}} {{.PIDs}}",
      "full",
    ]),
  ).toBe(`${id} ${id} 3`);
});

test("the stream goes on, with those that come and without those that go, until its containers are gone", async () => {
  sandbox.ok(["run", "-d", "--name", "short", "--network", "none", "busybox", "sleep", "1000"]);
  const [program, ...words] = sandbox.inside([sandbox.binary, "stats", "--format", "{{.Name}}", "short"]);
  const child = spawn(program, words, { env: sandbox.environment, stdio: ["ignore", "pipe", "ignore"] });
  let seen = "";
  child.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  await until(() => seen.split("\n").length > 2);
  expect(new Set(seen.trim().split("\n"))).toEqual(new Set(["short"]));
  sandbox.ok(["rm", "-f", "short"]);
  expect(await ended).toBe(0);
});
