/** H5, I. What a neighbour on the network reaches, and what can be used up. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../e2e/busybox.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { until, untilSync } from "../e2e/wait.ts";
import { rounds } from "./hostile.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());
const run = (...words: string[]) => sandbox.bocker(["run", "--rm", ...words]);

test("H5 moby 27adcd596: a neighbour reaches no port that is not published", () => {
  const neighbour = `bk-sec-${process.pid}`;
  const ip = (...words: string[]) => execFileSync("ip", words);
  const id = sandbox.ok([
    "run",
    "-d",
    "-p",
    "8200:80",
    "busybox",
    "sh",
    "-c",
    "httpd -p 80 -h /bin; httpd -p 81 -h /bin; sleep 1000",
  ]);
  const address = sandbox.ok(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", id]);
  ip("netns", "add", neighbour);
  try {
    ip("-n", sandbox.netns, "link", "add", "lan", "type", "veth", "peer", "name", "lan", "netns", neighbour);
    ip("-n", sandbox.netns, "addr", "add", "10.98.0.1/24", "dev", "lan");
    ip("-n", neighbour, "addr", "add", "10.98.0.2/24", "dev", "lan");
    for (const name of [sandbox.netns, neighbour]) ip("-n", name, "link", "set", "lan", "up");
    ip("-n", neighbour, "route", "add", `${address}/32`, "via", "10.98.0.1");
    const answers = (url: string) =>
      execFileSync(
        "nsenter",
        [
          `--net=/run/netns/${neighbour}`,
          "sh",
          "-c",
          `busybox timeout 4 busybox wget -q -O - ${url} >/dev/null && echo yes || echo no`,
        ],
        { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
      ).trim();
    expect(answers("http://10.98.0.1:8200/sh")).toBe("yes");
    expect(answers(`http://${address}:81/sh`)).toBe("no");
    expect(answers(`http://${address}:80/sh`)).toBe("no");
  } finally {
    ip("netns", "del", neighbour);
    sandbox.ok(["rm", "-f", id]);
  }
});

test("I1 CVE-2022-31030: output that nobody takes fills no memory", () => {
  const id = sandbox.ok(["run", "-d", "busybox", "sleep", "1000"]);
  const script = `"$1" exec "$2" cat /dev/zero | { sleep 1; for p in $(pgrep -f "exec $2"); do grep VmHWM /proc/$p/status; done; }`;
  const { stdout } = sandbox.execute(["sh", "-c", script, "sh", sandbox.binary, id]);
  const peaks = [...stdout.matchAll(/VmHWM:\s+(\d+) kB/g)].map(([, size]) => Number(size));
  expect(peaks.length).toBeGreaterThan(0);
  for (const peak of peaks) expect(peak).toBeLessThan(120_000);
  sandbox.ok(["rm", "-f", id]);
});

test("I1: nor does what a health check prints", async () => {
  const health = ["--health-cmd", "cat /dev/zero", "--health-interval", "10ms", "--health-timeout", "1s"];
  const id = sandbox.ok(["run", "-d", "--network", "none", ...health, "busybox", "sleep", "1000"]);
  const peaks = sandbox.execute([
    "sh",
    "-c",
    'for i in 1 2 3 4 5 6 7 8; do for p in $(pgrep -f "attend $1"); do grep VmHWM /proc/$p/status; done; sleep 0.2; done',
    "sh",
    id,
  ]).stdout;
  const sizes = [...peaks.matchAll(/VmHWM:\s+(\d+) kB/g)].map(([, size]) => Number(size));
  expect(sizes.length).toBeGreaterThan(0);
  for (const size of sizes) expect(size).toBeLessThan(120_000);
  const output = () =>
    sandbox.ok(["inspect", "-f", "{{range .State.Health.Log}}{{len .Output}} {{end}}", id]);
  await until(() => output() !== "");
  // As it is in the document: each of 4096 bytes of zero is a character.
  for (const length of output().trim().split(" ")) expect(Number(length)).toBeLessThan(4096 + 100);
  sandbox.ok(["rm", "-f", id]);
}, 60_000);

test("I2 CVE-2022-23471: clients of exec and attach that are killed leave nothing with the monitor", () => {
  const id = sandbox.ok(["run", "-d", "-i", "busybox", "cat"]);
  const { monitor } = JSON.parse(readFileSync(join(sandbox.run, "containers", id, "state"), "utf8"));
  const open = () => readdirSync(`/proc/${monitor}/fd`).length;
  sandbox.ok(["exec", id, "true"]);
  const before = open();
  const kill = `for i in $(seq ${rounds(200, 20)}); do "$1" attach "$2" </dev/null >/dev/null & a=$!; "$1" exec "$2" sleep 0.1 & b=$!; sleep 0.04; kill -9 $a $b; done 2>/dev/null; wait`;
  sandbox.execute(["sh", "-c", kill, "sh", sandbox.binary, id]);
  untilSync(() => open() <= before);
  expect(open()).toBe(before);
  // The programs of those that were killed go on to their ends.
  const programs = () => Number(sandbox.ok(["exec", id, "sh", "-c", "ls -d /proc/[0-9]* | wc -l"]));
  untilSync(() => programs() <= 4);
  expect(programs()).toBeLessThanOrEqual(4);
  sandbox.ok(["rm", "-f", id]);
}, 60_000);

test("I3 a line without an end is kept in parts, and comes back as it was", () => {
  const size = 3_000_000;
  const id = sandbox.ok(["run", "-d", "busybox", "sh", "-c", `head -c ${size} /dev/zero | tr '\\0' x`]);
  sandbox.ok(["wait", id]);
  expect(sandbox.bocker(["logs", id]).stdout).toBe("x".repeat(size));
  const longest = readFileSync(join(sandbox.data, "containers", id, `${id}-json.log`), "utf8")
    .split("\n")
    .reduce((most, line) => Math.max(most, line.length), 0);
  expect(longest).toBeLessThan(16384 + 200);
  sandbox.ok(["rm", id]);
});

test("I4 CVE-2024-3056: memory of a container's filesystems ends where it is limited, and with it", () => {
  const { stdout } = run("busybox", "sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=65 2>&1; true");
  expect(stdout).toContain("No space left on device");
});
