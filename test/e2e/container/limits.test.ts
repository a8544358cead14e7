/** Limits, as the kernel has them of the container's first process. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { byVersion, cgroupDirectory, cgroupValue, limitOf, mountAt, mountsOf } from "./kernel.ts";
import { script, tryScript, withRunning } from "./running.ts";

const MEMORY = ["memory", "memory.limit_in_bytes", "memory.max"] as const;
const SOFT_MEMORY = ["memory", "memory.soft_limit_in_bytes", "memory.low"] as const;
/** Version 1 counts memory and swap together, version 2 swap alone. */
const SWAP = ["memory", "memory.memsw.limit_in_bytes", "memory.swap.max"] as const;
const CPU_WEIGHT = ["cpu", "cpu.shares", "cpu.weight"] as const;
const CPUS = ["cpuset", "cpuset.cpus", "cpuset.cpus"] as const;
const PIDS = ["pids", "pids.max", "pids.max"] as const;
const MIB = 1 << 20;

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

function bandwidth(pid: number): string {
  const quota = cgroupValue(pid, ["cpu", "cpu.cfs_quota_us", "cpu.max"]);
  return byVersion(
    `${quota} ${byVersion(cgroupValue(pid, ["cpu", "cpu.cfs_period_us", "cpu.max"]), "")}`,
    quota,
  );
}

describe("limits", () => {
  test("memory, swap and reservation", () =>
    withRunning(sandbox, ["-m", "64m", "--memory-swap", "96m", "--memory-reservation", "32m"], ({ pid }) => {
      expect(cgroupValue(pid, MEMORY)).toBe(String(64 * MIB));
      expect(cgroupValue(pid, SOFT_MEMORY)).toBe(String(32 * MIB));
      const group = cgroupDirectory(pid, "memory");
      if (existsSync(join(group, byVersion(SWAP[1], SWAP[2]))))
        expect(cgroupValue(pid, SWAP)).toBe(String(byVersion(96, 32) * MIB));
    }));

  test("swap is as much as memory without a word on it, -1 is no limit", () => {
    const swap = (...options: string[]) =>
      withRunning(sandbox, ["-m", "64m", ...options], ({ pid }) => cgroupValue(pid, SWAP));
    if (!existsSync(join("/sys/fs/cgroup", byVersion(`memory/${SWAP[1]}`, "memory")))) return;
    expect(swap()).toBe(String(byVersion(128, 64) * MIB));
    expect(swap("--memory-swap", "-1")).toBe(byVersion("9223372036854771712", "max"));
  });

  test("the container sees its own group, by exec too", () =>
    withRunning(sandbox, ["-m", "64m", "--pids-limit", "17"], ({ id }) => {
      const paths = [MEMORY, PIDS].map(([controller, one, two]) =>
        join("/sys/fs/cgroup", byVersion(join(controller, one), two)),
      );
      expect(sandbox.ok(["exec", id, "cat", ...paths])).toBe(`${64 * MIB}\n17`);
    }));

  test("the smallest shares are 2", () =>
    withRunning(sandbox, ["--cpu-shares", "1"], ({ pid }) =>
      expect(cgroupValue(pid, CPU_WEIGHT)).toBe(byVersion("2", "1")),
    ));

  test("processors, shares, processes", () =>
    withRunning(sandbox, ["--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "17"], ({ pid }) => {
      expect(bandwidth(pid)).toBe("50000 100000");
      expect(cgroupValue(pid, CPU_WEIGHT)).toBe(byVersion("512", "20"));
      expect(cgroupValue(pid, PIDS)).toBe("17");
    }));

  test("a set of processors", () =>
    withRunning(sandbox, ["--cpuset-cpus", "0"], ({ pid }) => {
      expect(cgroupValue(pid, CPUS)).toBe("0");
      expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Cpus_allowed_list:\t0$/m);
    }));

  test("none are set that nobody asked for", () =>
    withRunning(sandbox, [], ({ id, pid }) => {
      expect(cgroupDirectory(pid, "memory")).toEndWith(`/bocker/${id}`);
      expect(cgroupValue(pid, PIDS)).toBe("max");
      expect(cgroupValue(pid, MEMORY)).toBe(byVersion("9223372036854771712", "max"));
      expect(bandwidth(pid)).toBe(byVersion("-1 100000", "max 100000"));
    }));

  test("--pids-limit holds, and -1 is none", () => {
    const many = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo all";
    const limited = tryScript(sandbox, ["--pids-limit", "5"], many);
    expect(limited.stdout).not.toContain("all");
    expect(limited.stderr).toContain("can't fork");
    withRunning(sandbox, ["--pids-limit", "-1"], ({ pid }) => expect(cgroupValue(pid, PIDS)).toBe("max"));
  });

  test("a fork bomb in exec counts, too, and all of it ends with the container", () => {
    const group = withRunning(sandbox, ["--pids-limit", "12"], ({ id, pid }) => {
      const bomb = sandbox.bocker(["exec", id, "sh", "-c", "for i in $(seq 40); do sleep 1000 & done"]);
      expect(bomb.stderr).toContain("can't fork");
      const directory = cgroupDirectory(pid, "pids");
      expect(Number(cgroupValue(pid, ["pids", "pids.current", "pids.current"]))).toBeLessThanOrEqual(12);
      expect(cgroupValue(pid, ["pids", "cgroup.procs", "cgroup.procs"]).split("\n").length).toBeGreaterThan(
        5,
      );
      expect(cgroupValue(pid, ["pids", "pids.events", "pids.events"])).toMatch(/^max [1-9]/);
      return directory;
    });
    expect(existsSync(group)).toBe(false);
  });

  test("what takes too much memory is killed: 137, and inspect says why", () => {
    const name = "too-much";
    const words = ["--network", "none", "-m", "16m", "--memory-swap", "16m", "--name", name, IMAGE];
    const { code } = sandbox.bocker(["run", ...words, "tail", "/dev/zero"]);
    expect(code).toBe(137);
    const state = sandbox.ok(["inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", name]);
    expect(state).toBe("true 137");
    sandbox.ok(["rm", name]);
  });

  test("a container that ended by itself was not killed for memory", () => {
    sandbox.ok(["run", "--network", "none", "-m", "16m", "--name", "enough", IMAGE, "true"]);
    expect(sandbox.ok(["inspect", "-f", "{{.State.OOMKilled}}", "enough"])).toBe("false");
    sandbox.ok(["rm", "enough"]);
  });

  test("--ulimit, soft and hard", () =>
    withRunning(
      sandbox,
      [
        "--ulimit",
        "nofile=123:456",
        "--ulimit",
        "core=0",
        "--ulimit",
        "cpu=1000:2000",
        "--ulimit",
        "nproc=77",
      ],
      ({ pid }) => {
        expect(limitOf(pid, "Max open files")).toEqual(["123", "456"]);
        expect(limitOf(pid, "Max core file size")).toEqual(["0", "0"]);
        expect(limitOf(pid, "Max cpu time")).toEqual(["1000", "2000"]);
        expect(limitOf(pid, "Max processes")).toEqual(["77", "77"]);
      },
    ));

  test("--ulimit unlimited", () =>
    withRunning(sandbox, ["--ulimit", "core=-1", "--ulimit", "stack=8388608:unlimited"], ({ pid }) => {
      expect(limitOf(pid, "Max core file size")).toEqual(["unlimited", "unlimited"]);
      expect(limitOf(pid, "Max stack size")).toEqual(["8388608", "unlimited"]);
    }));

  test("a limit above the caller's own, without the right to raise it, is a clear error", () => {
    const limited = ["prlimit", "--core=1000:1000", "setpriv", "--bounding-set=-sys_resource"];
    const words = ["run", "--rm", "--network", "none", "--ulimit", "core=-1", IMAGE, "true"];
    const { code, stderr } = sandbox.execute([...limited, sandbox.binary, ...words]);
    expect(code).toBe(125);
    expect(stderr).toContain("RLIMIT_CORE");
    expect(stderr).toContain("operation not permitted");
  });

  test("open files do not depend on the caller's soft limit", () => {
    const hard = Number(limitOf(process.pid, "Max open files")[1]);
    const expected = String(Math.min(hard, 1048576));
    const words = ["run", "--rm", "--network", "none", IMAGE, "sh", "-c", "ulimit -Sn; ulimit -Hn"];
    const { stdout } = sandbox.execute(["prlimit", "--nofile=512:", sandbox.binary, ...words]);
    expect(stdout).toBe(`${expected}\n${expected}\n`);
  });

  test("--shm-size, and 64 MiB without", () => {
    withRunning(sandbox, ["--shm-size", "3m"], ({ pid }) =>
      expect(mountAt(mountsOf(pid), "/dev/shm")?.superOptions).toContain("size=3072k"),
    );
    expect(script(sandbox, [], "df -k /dev/shm | tail -n 1 | awk '{print $2}'")).toBe("65536");
  });

  test("--oom-score-adj, and the caller's own is not inherited", () => {
    withRunning(sandbox, ["--oom-score-adj", "321"], ({ pid }) =>
      expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8")).toBe("321\n"),
    );
    const words = ["run", "--rm", "--network", "none", IMAGE, "cat", "/proc/self/oom_score_adj"];
    expect(sandbox.execute(["choom", "-n", "500", "--", sandbox.binary, ...words]).stdout).toBe("0\n");
  });

  const REFUSED: [string[], string][] = [
    [["-m", "4m"], "Minimum memory limit allowed is 6MB"],
    [["-m", "64m", "--memory-swap", "32m"], "Minimum memoryswap limit should be larger than memory limit"],
    [["--memory-swap", "64m"], "You should always set the Memory limit when using Memoryswap limit"],
    [["-m", "64m", "--memory-reservation", "65m"], "can not be less than memory reservation limit"],
    [["--memory-reservation", "1m"], "Minimum memory reservation allowed is 6MB"],
    [["-m", "-1"], "invalid size: '-1'"],
    [["--cpus", "0.001"], "range of CPUs is from 0.01 to"],
    [["--cpus", "many"], "failed to parse many as a rational number"],
    [["--cpu-shares", "-1"], "shares: invalid argument"],
    [["--cpu-shares", "x"], 'invalid argument "x" for "-c, --cpu-shares" flag'],
    [["--cpuset-cpus", "x"], "Invalid value x for cpuset cpus"],
    [["--pids-limit", "x"], 'invalid argument "x" for "--pids-limit" flag'],
    [["--ulimit", "nofile"], "invalid ulimit argument: nofile"],
    [["--shm-size", "x"], "invalid size: 'x'"],
    [["--oom-score-adj", "-1001"], "range for oom score adj is [-1000, 1000]"],
    [["--cpus", "1000"], "range of CPUs is from 0.01 to"],
    [["--cpuset-cpus", "4000"], "Requested CPUs are not available"],
    [["--ulimit", "nofile=5:4"], "ulimit soft limit must be less than or equal to hard limit: 5 > 4"],
    [["--ulimit", "sails=5"], "invalid ulimit type: sails"],
    [["--oom-score-adj", "1001"], "range for oom score adj is [-1000, 1000]"],
    [["-m", "much"], "invalid size: 'much'"],
  ];
  test.each(REFUSED)("%p is refused: %s", (options, message) => {
    const { code, stderr } = sandbox.bocker(["run", "--rm", "--network", "none", ...options, IMAGE, "true"]);
    expect(stderr).toContain(message);
    expect(code).toBe(125);
  });
});

test("what is refused leaves no container", () => {
  expect(sandbox.bocker(["run", "--network", "none", "-m", "4m", IMAGE, "true"]).code).toBe(125);
  expect(sandbox.bocker(["create", "-m", "4m", IMAGE, "true"]).code).toBe(125);
  expect(sandbox.ok(["ps", "-aq"])).toBe("");
});
