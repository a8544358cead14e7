/** `update`: other limits, at once in the cgroups of a container that runs, and for every start to come. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readLayout } from "../../../src/cgroup/layout.ts";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { fromNow, untilSync } from "../wait.ts";
import { runDetached } from "./running.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());
afterEach(() => sandbox.bocker(["rm", "-f", "up"]));

const { unified, controllers } = readLayout();
/** A file of the container's cgroup: of v1's and of v2's names the one that this machine has. */
function limit(controller: string, v1: string, v2: string): string {
  const mount = unified === undefined ? controllers.get(controller)!.mount : unified.mount;
  const id = sandbox.ok(["inspect", "-f", "{{.Id}}", "up"]);
  return readFileSync(join(mount, "bocker", id, unified === undefined ? v1 : v2), "utf8").trim();
}
const memory = () => limit("memory", "memory.limit_in_bytes", "memory.max");
const pids = () => limit("pids", "pids.max", "pids.max");
const start = (...options: string[]) => runDetached(sandbox, ["--name", "up", ...options]);
const update = (...words: string[]) => sandbox.bocker(["update", ...words]);
const MEBIBYTE = 1 << 20;
const mebibytes = (count: number) => String(count * MEBIBYTE);
const settings = () =>
  sandbox.ok([
    "inspect",
    "-f",
    "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}",
    "up",
  ]);

test("of a container that runs, up and down, whatever the order in which the kernel takes them", () => {
  start("-m", "64m", "--pids-limit", "20");
  expect(update("-m", "100m", "up")).toEqual({ code: 0, stdout: "up\n", stderr: "" });
  expect(memory()).toBe(mebibytes(100));
  // What there is of swap stays where nobody names it: more memory than both together cannot be.
  expect(update("-m", "200m", "up")).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "Error: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time\n",
  });
  for (const size of [200, 20, 300]) {
    expect(update("-m", `${size}m`, "--memory-swap", `${size}m`, "--pids-limit", "33", "up").code).toBe(0);
    expect([memory(), pids()]).toEqual([mebibytes(size), "33"]);
  }
  expect(update("--pids-limit", "-1", "--cpus", "0.5", "up").code).toBe(0);
  expect(pids()).toBe("max");
  expect(unified === undefined ? limit("cpu", "cpu.cfs_quota_us", "") : limit("cpu", "", "cpu.max")).toMatch(
    /^50000/,
  );
  expect(settings()).toBe(`${mebibytes(300)} ${mebibytes(300)} 500000000 -1`);
  // And after the next start.
  sandbox.ok(["restart", "-t", "0", "up"]);
  expect([memory(), pids()]).toEqual([mebibytes(300), "max"]);
});

test("what does not run has them at its next start", () => {
  sandbox.ok(["create", "--name", "up", "--network", "none", "busybox", "sleep", "1000"]);
  expect(update("-m", "50m", "--cpuset-cpus", "0", "up").stdout).toBe("up\n");
  sandbox.ok(["start", "up"]);
  expect(memory()).toBe(mebibytes(50));
  expect(limit("cpuset", "cpuset.cpus", "cpuset.cpus")).toBe("0");
  expect(update("--cpuset-cpus", "1", "up").code).toBe(0);
  expect(sandbox.ok(["exec", "up", "grep", "Cpus_allowed_list", "/proc/1/status"])).toEndWith("\t1");
});

test("what is refused changes nothing, and the others are changed", () => {
  start("-m", "64m", "--memory-swap", "64m", "--pids-limit", "20");
  const before = settings();
  for (const [words, message] of [
    [["-m", "1m"], "Minimum memory limit allowed is 6MB"],
    [["--cpus", "9999"], "range of CPUs is from 0.01 to"],
    [["--cpuset-cpus", "7777"], "Requested CPUs are not available"],
    [["-m", "32m", "--memory-swap", "16m"], "Minimum memoryswap limit should be larger than memory limit"],
    [["--memory-reservation", "128m"], "Minimum memory limit can not be less than memory reservation limit"],
    [[], "you must provide one or more flags when using this command"],
  ] as const) {
    const { code, stderr } = update(...words, "up");
    expect([words, code]).toEqual([words, 1]);
    expect(stderr).toStartWith(`Error: ${message}`);
  }
  expect(update("--blkio-weight", "100", "up")).toMatchObject({ code: 125, stdout: "" });
  expect(settings()).toBe(before);
  expect([memory(), pids()]).toEqual([mebibytes(64), "20"]);
  expect(update("--pids-limit", "21", "nope", "up")).toEqual({
    code: 1,
    stdout: "up\n",
    stderr: "Error: No such container: nope\n",
  });
  expect(pids()).toBe("21");
});

test.skipIf(unified !== undefined)(
  "less memory than is in use is refused by v1, and what was written is taken back",
  () => {
    const fill = "dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null; exec sleep 1000";
    runDetached(
      sandbox,
      ["--name", "up", "-m", "64m", "--memory-swap", "64m", "--pids-limit", "20"],
      ["sh", "-c", fill],
    );
    const used = () => Number(limit("memory", "memory.usage_in_bytes", ""));
    untilSync(() => used() >= 40 * MEBIBYTE);
    const { code, stderr } = update("--pids-limit", "10", "-m", "10m", "--memory-swap", "10m", "up");
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^Error: Cannot update container \w{64}: memory.limit_in_bytes cannot be 10485760: device or resource busy\n$/,
      ),
    ]);
    expect([memory(), pids()]).toEqual([mebibytes(64), "20"]);
    expect(settings()).toBe(`${mebibytes(64)} ${mebibytes(64)} 0 20`);
  },
);

test.skipIf(unified !== undefined)(
  "v1: a container that was started without a cpuset gets one at its next start only",
  () => {
    const { id } = start();
    expect(update("--cpuset-cpus", "0", "up")).toEqual({
      code: 1,
      stdout: "",
      stderr: `Error: Cannot update container ${id}: cpuset cannot be limited while the container runs, as it was started without: stop it first\n`,
    });
  },
);

test("events tell of it", () => {
  start("-m", "64m");
  const since = fromNow();
  expect(update("--cpu-shares", "100", "up").code).toBe(0);
  expect(sandbox.ok(["events", "--since", since, "--until", "0s", "--format", "{{.Action}}"])).toBe("update");
});
