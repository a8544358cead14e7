/** What stays beside a detached container: one small monitor. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { cgroupDirectory, statusField } from "./kernel.ts";
import { withRunning } from "./running.ts";

const MEMORY_LIMIT_KIB = 256;

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const own = readFileSync(`/proc/${pid}/environ`, "latin1").includes(sandbox.directory);
        return own ? [readFileSync(`/proc/${pid}/cmdline`, "latin1")] : [];
      } catch {
        return [];
      }
    });
}

test("its share of the memory is at most 256 KiB, and no JavaScript stays", () =>
  withRunning(
    sandbox,
    ["-p", "127.0.0.1:18081:80", "-i"],
    ({ pid }) => {
      const monitor = Number(statusField(pid, "PPid"));
      const pss = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${monitor}/smaps_rollup`, "utf8"))?.[1];
      expect(Number(pss)).toBeLessThanOrEqual(MEMORY_LIMIT_KIB);
      expect(readlinkSync(`/proc/${monitor}/exe`)).toContain("memfd:bocker-launcher");
      expect(commandLines()).toEqual([]);
    },
    ["sh", "-c", "seq 1 100000; exec sleep 100000"],
  ));

test("it holds no descriptor that it does not need, and none of the caller's", () =>
  withRunning(sandbox, [], ({ id, pid }) => {
    const monitor = Number(statusField(pid, "PPid"));
    const fds = readdirSync(`/proc/${monitor}/fd`).map((fd) => readlinkSync(`/proc/${monitor}/fd/${fd}`));
    const known =
      /^(\/dev\/null|pipe:|socket:|anon_inode:\[pidfd\]|mnt:|net:|pidfd:|\/memfd:)|\/bocker-|-json\.log$|\/sys\/fs\/cgroup/;
    expect(fds.filter((target) => !known.test(target))).toEqual([]);
    expect(fds.filter((target) => target.endsWith(`${id}-json.log`))).toHaveLength(1);
  }));

test("the end is recorded before anything is cleaned up", async () => {
  const id = sandbox.ok(["run", "-d", "--network", "none", IMAGE, "sh", "-c", "sleep 0.2; exit 6"]);
  const pid = Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", id]));
  const group = cgroupDirectory(pid, "memory");
  const record = join(sandbox.data, "containers", id, "exit.json");
  let sawGroup = true;
  while (sawGroup) {
    sawGroup = existsSync(group);
    const recorded = existsSync(record);
    // Looked at in this order: when the group is gone, the record has been there before.
    if (!sawGroup) expect(recorded).toBe(true);
    await Bun.sleep(1);
  }
  expect(JSON.parse(readFileSync(record, "utf8"))).toMatchObject({ code: 6, oom: false });
  sandbox.ok(["rm", id]);
});

test("a monitor that is killed takes its container along; the next command says so", () => {
  withRunning(sandbox, ["--name", "orphan"], ({ pid }) => {
    process.kill(Number(statusField(pid, "PPid")), "SIGKILL");
    while (existsSync(`/proc/${pid}`)) Bun.sleepSync(5);
    const { stdout, stderr } = sandbox.bocker(["ps", "-a", "--format", "{{.Names}} {{.Status}}"]);
    expect(stderr).toContain("repaired: container orphan");
    expect(stdout).toStartWith("orphan Exited (255)");
  });
});
