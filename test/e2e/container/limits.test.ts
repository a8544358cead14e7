/** Limits of cgroups, rlimits, /dev/shm and the OOM killer, read back from the kernel (cgroup v1). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { makeBusyboxImage } from "../busybox.ts";
import { BINARY, Sandbox } from "../sandbox.ts";

const MEGABYTE = 2 ** 20;
const hasV1 = existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes");
if (!hasV1) console.warn("SKIPPED: limits.test.ts reads cgroup v1 files, and this machine has no cgroup v1");

let sandbox: Sandbox;
const running: string[] = [];
beforeAll(() => {
  sandbox = new Sandbox();
  makeBusyboxImage(sandbox);
});
afterAll(() => {
  if (running.length > 0) sandbox.ok(["rm", "-f", ...running]);
  sandbox.remove();
});

/** Starts a container that only waits. */
function start(...flags: string[]): string {
  const id = sandbox.ok(["run", "-d", "--network", "none", ...flags, "busybox", "sleep", "1000"]);
  running.push(id);
  return id;
}

/** A file of the container's cgroup, from the host and from inside. */
function cgroupFile(id: string, controller: string, file: string): string {
  const outside = readFileSync(`/sys/fs/cgroup/${controller}/bocker-${id}/${file}`, "utf8").trim();
  const inside = sandbox.ok(["exec", id, "cat", `/sys/fs/cgroup/${controller}/${file}`]);
  expect(inside).toBe(outside);
  return outside;
}

function inside(flags: string[], script: string) {
  return sandbox.bocker(["run", "--rm", "--network", "none", ...flags, "busybox", "sh", "-c", script]);
}

/** A run that must not even begin. */
function refusal(...flags: string[]): string {
  const { code, stdout, stderr } = inside(flags, "echo started");
  expect(stdout).toBe("");
  expect(code).toBe(125);
  return stderr;
}

describe.skipIf(!hasV1)("cgroup limits", () => {
  test("-m limits memory, and memory with swap to twice that", () => {
    const id = start("-m", "64m");
    expect(cgroupFile(id, "memory", "memory.limit_in_bytes")).toBe(String(64 * MEGABYTE));
    expect(cgroupFile(id, "memory", "memory.memsw.limit_in_bytes")).toBe(String(128 * MEGABYTE));
    expect(sandbox.ok(["inspect", "-f", "{{.HostConfig.Memory}}", id])).toBe(String(64 * MEGABYTE));
  });

  test("--memory-swap is memory and swap together, -1 is no limit", () => {
    const some = start("-m", "64m", "--memory-swap", "80m");
    expect(cgroupFile(some, "memory", "memory.memsw.limit_in_bytes")).toBe(String(80 * MEGABYTE));
    const unlimited = start("-m", "64m", "--memory-swap", "-1");
    const root = readFileSync("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "utf8").trim();
    expect(cgroupFile(unlimited, "memory", "memory.memsw.limit_in_bytes")).toBe(root);
    expect(cgroupFile(unlimited, "memory", "memory.limit_in_bytes")).toBe(String(64 * MEGABYTE));
  });

  test("--memory-reservation is the soft limit", () => {
    const id = start("--memory-reservation", "32m");
    expect(cgroupFile(id, "memory", "memory.soft_limit_in_bytes")).toBe(String(32 * MEGABYTE));
  });

  test("--cpus is a quota of a period of 100 ms", () => {
    const id = start("--cpus", "0.25");
    expect(cgroupFile(id, "cpu", "cpu.cfs_period_us")).toBe("100000");
    expect(cgroupFile(id, "cpu", "cpu.cfs_quota_us")).toBe("25000");
  });

  test("--cpu-shares is the weight", () => {
    expect(cgroupFile(start("--cpu-shares", "512"), "cpu", "cpu.shares")).toBe("512");
    expect(cgroupFile(start("-c", "1"), "cpu", "cpu.shares")).toBe("2");
  });

  test("--cpuset-cpus binds to processors", () => {
    const last = String(cpus().length - 1);
    const id = start("--cpuset-cpus", last, "--cpuset-mems", "0");
    expect(cgroupFile(id, "cpuset", "cpuset.cpus")).toBe(last);
    expect(cgroupFile(id, "cpuset", "cpuset.mems")).toBe("0");
    const status = sandbox.ok(["exec", id, "cat", "/proc/1/status", "/proc/self/status"]);
    expect(status.match(/^Cpus_allowed_list:\t.*$/gm)).toEqual(Array(2).fill(`Cpus_allowed_list:\t${last}`));
  });

  test("--pids-limit is the limit of tasks; -1 and nothing are none", () => {
    expect(cgroupFile(start("--pids-limit", "17"), "pids", "pids.max")).toBe("17");
    expect(cgroupFile(start("--pids-limit", "-1"), "pids", "pids.max")).toBe("max");
    expect(cgroupFile(start(), "pids", "pids.max")).toBe("max");
  });

  test("a fork bomb stops at --pids-limit", () => {
    const id = start("--pids-limit", "12");
    const bomb = sandbox.bocker(["exec", id, "sh", "-c", "for i in $(seq 40); do sleep 1000 & done"]);
    expect(bomb.stderr).toContain("can't fork");
    expect(bomb.code).not.toBe(0);
    const directory = `/sys/fs/cgroup/pids/bocker-${id}`;
    expect(Number(readFileSync(`${directory}/pids.current`, "utf8"))).toBeLessThanOrEqual(12);
    expect(readFileSync(`${directory}/cgroup.procs`, "utf8").trim().split("\n").length).toBeGreaterThan(5);
    expect(readFileSync(`${directory}/pids.events`, "utf8")).toMatch(/^max [1-9]/);
    sandbox.ok(["rm", "-f", running.splice(running.indexOf(id), 1)[0] ?? ""]);
    expect(existsSync(directory)).toBe(false);
  });

  test("out of memory is 137 and OOMKilled, and only then", () => {
    const limited = ["run", "--network", "none", "-m", "16m", "--memory-swap", "16m"];
    const eater = ["busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"];
    running.push("eater", "modest");
    expect(sandbox.bocker([...limited, "--name", "eater", ...eater]).code).toBe(137);
    const state = "{{.State.OOMKilled}} {{.State.ExitCode}}";
    expect(sandbox.ok(["inspect", "-f", state, "eater"])).toBe("true 137");
    expect(
      sandbox.bocker([...limited, "--name", "modest", "busybox", "sh", "-c", "kill -9 $$; exit 3"]).code,
    ).toBe(3);
    expect(sandbox.ok(["inspect", "-f", state, "modest"])).toBe("false 3");
    expect(sandbox.ok(["start", "modest"])).toBe("modest");
  });

  test("the cgroups lie in every hierarchy, hold the processes, and go with the container", () => {
    const id = start("-m", "64m", "--cpuset-cpus", "0");
    const pid = sandbox.ok(["inspect", "-f", "{{.State.Pid}}", id]);
    const controllers = ["devices", "memory", "cpu", "cpuacct", "pids", "freezer", "cpuset"];
    for (const controller of controllers)
      expect(readFileSync(`/sys/fs/cgroup/${controller}/bocker-${id}/cgroup.procs`, "utf8")).toBe(`${pid}\n`);
    sandbox.ok(["rm", "-f", running.splice(running.indexOf(id), 1)[0] ?? ""]);
    for (const controller of controllers)
      expect(existsSync(`/sys/fs/cgroup/${controller}/bocker-${id}`)).toBe(false);
  });
});

describe("limits of processes", () => {
  test("--ulimit sets soft and hard limits", () => {
    expect(inside(["--ulimit", "nofile=100:200"], "ulimit -Sn; ulimit -Hn").stdout).toBe("100\n200\n");
    expect(inside(["--ulimit", "nproc=123"], "cat /proc/self/limits").stdout).toMatch(
      /^Max processes +123 +123 /m,
    );
    const both = inside(["--ulimit", "core=0", "--ulimit", "cpu=7:9"], "cat /proc/self/limits").stdout;
    expect(both).toMatch(/^Max core file size +0 +0 /m);
    expect(both).toMatch(/^Max cpu time +7 +9 /m);
  });

  test("--ulimit unlimited, in both spellings", () => {
    for (const value of ["-1", "unlimited"])
      expect(inside(["--ulimit", `stack=${value}`], "cat /proc/self/limits").stdout).toMatch(
        /^Max stack size +unlimited +unlimited /m,
      );
  });

  test("a limit that the kernel refuses is named", () => {
    const hard = Number(/^Max open files +\d+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
    const mask = BigInt(`0x${/^CapEff:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]}`);
    if (((mask >> 24n) & 1n) === 1n) {
      console.warn("SKIPPED: with CAP_SYS_RESOURCE the kernel refuses no limit");
      return;
    }
    expect(refusal("--ulimit", `nofile=${hard + 1}`)).toContain(
      `set RLIMIT_NOFILE to ${hard + 1} (hard ${hard + 1}): operation not permitted`,
    );
    expect(refusal("--oom-score-adj", "-500")).toContain("set oom_score_adj to -500: permission denied");
  });

  test("the default of open files does not depend on the caller's soft limit", () => {
    const run = (soft: string) =>
      sandbox.execute([
        "sh",
        "-c",
        `ulimit -Sn ${soft}; exec "$@"`,
        "sh",
        ...[BINARY, "run", "--rm", "--network", "none", "busybox", "sh", "-c", "ulimit -Sn; ulimit -Hn"],
      ]).stdout;
    const [soft, hard] = run("512").trim().split("\n");
    expect(soft).toBe(hard ?? "");
    expect(Number(soft)).toBeGreaterThan(512);
    expect(run("600")).toBe(`${soft}\n${hard}\n`);
  });

  test("--shm-size is the size of /dev/shm, which is 64 MiB otherwise", () => {
    const size = (...flags: string[]) =>
      inside(flags, "stat -f -c '%b %S' /dev/shm").stdout.trim().split(" ");
    const bytes = (words: string[]) => Number(words[0]) * Number(words[1]);
    expect(bytes(size())).toBe(64 * MEGABYTE);
    expect(bytes(size("--shm-size", "8m"))).toBe(8 * MEGABYTE);
    const full = inside(["--shm-size", "1m"], "dd if=/dev/zero of=/dev/shm/x bs=1024 count=2048");
    expect(full.code).toBe(1);
    expect(full.stderr).toContain("No space left on device");
  });

  test("--oom-score-adj is the score of every process of the container", () => {
    expect(inside([], "cat /proc/self/oom_score_adj").stdout).toBe("0\n");
    const id = start("--oom-score-adj", "300");
    expect(sandbox.ok(["exec", id, "cat", "/proc/1/oom_score_adj"])).toBe("300");
  });
});

describe("wrong limits", () => {
  const cases: [flags: string[], message: string][] = [
    [["-m", "1m"], "Minimum memory limit allowed is 6MB"],
    [["-m", "x"], "invalid size: 'x'"],
    [["-m", "-1"], "invalid size: '-1'"],
    [
      ["--memory-swap", "100m"],
      "You should always set the Memory limit when using Memoryswap limit, see usage",
    ],
    [
      ["-m", "100m", "--memory-swap", "50m"],
      "Minimum memoryswap limit should be larger than memory limit, see usage",
    ],
    [["--memory-reservation", "1m"], "Minimum memory reservation allowed is 6MB"],
    [
      ["-m", "100m", "--memory-reservation", "200m"],
      "Minimum memory limit can not be less than memory reservation limit, see usage",
    ],
    [["--cpus", "9999"], "range of CPUs is from 0.01 to "],
    [["--cpus", "0.001"], "range of CPUs is from 0.01 to "],
    [["--cpus", "x"], 'invalid argument "x" for "--cpus" flag: failed to parse x as a rational number'],
    [["--cpu-shares", "x"], 'invalid argument "x" for "-c, --cpu-shares" flag'],
    [["--cpu-shares", "-1"], "shares: invalid argument"],
    [["--cpuset-cpus", "999"], "Requested CPUs are not available - requested 999, available: 0"],
    [["--cpuset-cpus", "x"], "Invalid value x for cpuset cpus"],
    [["--pids-limit", "x"], 'invalid argument "x" for "--pids-limit" flag'],
    [["--ulimit", "nonsense=1"], "invalid ulimit type"],
    [["--ulimit", "nofile"], "invalid ulimit argument: nofile"],
    [["--ulimit", "nofile=10:5"], "ulimit soft limit must be less than or equal to hard limit: 10 > 5"],
    [["--shm-size", "x"], "invalid size: 'x'"],
    [["--oom-score-adj", "1001"], "Invalid value 1001, range for oom score adj is [-1000, 1000]"],
  ];
  test.each(cases)("%p", (flags, message) => {
    expect(refusal(...flags)).toContain(message);
  });

  test("leave no container behind", () => {
    const id = start();
    refusal("-m", "1m");
    expect(sandbox.ok(["ps", "-a", "-q", "--no-trunc"]).split("\n")).toContain(id);
    expect(sandbox.ok(["ps", "-a", "-q", "-f", "status=created"])).toBe("");
  });
});
