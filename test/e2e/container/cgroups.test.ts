/** Where containers and their monitors are in the machine's cgroups, and that nothing of them stays. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { parseMembership, readLayout } from "../../../src/cgroup/layout.ts";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import { cgroupNames } from "../cgroups.ts";
import { BINARY, type Sandbox } from "../sandbox.ts";
import { untilSync } from "../wait.ts";
import { byVersion, cgroupDirectory, cgroupValue, statusField } from "./kernel.ts";
import { runDetached, withRunning } from "./running.ts";

const MEMORY = ["memory", "memory.limit_in_bytes", "memory.max"] as const;
const CPUS = ["cpuset", "cpuset.cpus", "cpuset.cpus"] as const;
const mounts = readLayout().hierarchies.map(({ mount }) => mount);

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

/** A cgroup of the test's own at the top of each hierarchy, as a path; removed after `body` with those in it. */
function withOwnCgroup<T>(body: (path: string) => T): T {
  const path = `/bocker-test-${randomBytes(4).toString("hex")}`;
  try {
    return body(path);
  } finally {
    for (const mount of mounts) removeTree(join(mount, path));
  }
}

function removeTree(directory: string): void {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(directory, entry.name));
  // The last one of it may be on its way out.
  for (let i = 0; ; i++)
    try {
      rmdirSync(directory);
      return;
    } catch (error) {
      if (i === 200) throw error;
      Bun.sleepSync(10);
    }
}

function membership(pid: number): Map<string, string> {
  return parseMembership(readFileSync(`/proc/${pid}/cgroup`, "utf8"));
}

describe("--cgroup-parent", () => {
  test("the container is in it, whatever the depth, and its limits hold", () =>
    withOwnCgroup((path) => {
      const parent = `${path}/deep/er`;
      const options = ["--cgroup-parent", parent, "-m", "64m", "--cpuset-cpus", "0"];
      withRunning(sandbox, options, ({ id, pid }) => {
        expect(cgroupDirectory(pid, "memory")).toEndWith(`${parent}/${id}`);
        expect(cgroupDirectory(pid, "cpuset")).toEndWith(`${parent}/${id}`);
        expect(cgroupValue(pid, MEMORY)).toBe(String(64 << 20));
        expect(cgroupValue(pid, CPUS)).toBe("0");
        expect(sandbox.ok(["inspect", "-f", "{{.HostConfig.CgroupParent}}", id])).toBe(parent);
        sandbox.ok(["exec", "-d", id, "sleep", "1234"]);
        expect(
          cgroupValue(pid, ["memory", "cgroup.procs", "cgroup.procs"]).split("\n").length,
        ).toBeGreaterThan(1);
        sandbox.ok(["commit", id, "frozen"]);
        expect(cgroupNames()).not.toContain(id);
      });
      // As Docker leaves it: it is not the container's.
      expect(mounts.some((mount) => existsSync(join(mount, parent)))).toBe(true);
      for (const mount of mounts.filter((one) => existsSync(join(one, parent))))
        expect(
          readdirSync(join(mount, parent), { withFileTypes: true }).some((one) => one.isDirectory()),
        ).toBe(false);
    }));

  test("is one below the top with a slash or without; the top itself will do", () =>
    withOwnCgroup((path) => {
      withRunning(sandbox, ["--cgroup-parent", path.slice(1)], ({ id, pid }) => {
        expect(membership(pid).get(byVersion("memory", ""))).toBe(`${path}/${id}`);
        expect(sandbox.ok(["inspect", "-f", "{{.HostConfig.CgroupParent}}", id])).toBe(path.slice(1));
      });
      withRunning(sandbox, ["--cgroup-parent", "/"], ({ id, pid }) =>
        expect(membership(pid).get(byVersion("memory", ""))).toBe(`/${id}`),
      );
    }));

  test("is bocker's own without a word; inspect says nothing then, as Docker", () =>
    withRunning(sandbox, [], ({ id, pid }) => {
      expect(membership(pid).get(byVersion("memory", ""))).toBe(`/bocker/${id}`);
      expect(sandbox.ok(["inspect", "-f", "{{.HostConfig.CgroupParent}}", id])).toBe("");
    }));

  test.each(["../elsewhere", "/a/../../b", "a\nb"])("%j is refused, and nothing is recorded", (parent) => {
    for (const command of ["run", "create"]) {
      const { code, stderr } = sandbox.bocker([command, "--cgroup-parent", parent, IMAGE, "true"]);
      expect(stderr).toContain("invalid cgroup parent");
      expect(code).toBe(125);
    }
    expect(sandbox.ok(["ps", "-aq"])).toBe("");
  });

  test("one that cannot be is said to be so, and the container stays as it was", () => {
    const id = sandbox.ok(["create", "--cgroup-parent", "/cgroup.procs", IMAGE, "true"]);
    const { code, stderr } = sandbox.bocker(["start", id]);
    expect(stderr).toMatch(/failed to create the container: make .*\/cgroup\.procs\/.*: not a directory/);
    expect(code).toBe(1);
    expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", id])).toBe("created");
    sandbox.ok(["rm", id]);
  });

  test("a parent that is removed after the start was decided is made again", async () => {
    const path = `/bocker-test-${randomBytes(4).toString("hex")}`;
    try {
      // The file is made when all is decided, and before the launcher is started.
      const script = `
import os, sys
data, *parents = sys.argv[1:]
print("ready", flush=True)
seen = set()
while True:
    for name in os.listdir(data):
        if name not in seen and os.path.exists(f"{data}/{name}/started"):
            seen.add(name)
            for parent in parents:
                try: os.rmdir(parent)
                except OSError: pass
`;
      const containers = join(sandbox.data, "containers");
      sandbox.ok(["run", "--rm", "--network", "none", "--cgroup-parent", path, IMAGE, "true"]);
      const parents = mounts.map((mount) => join(mount, path));
      const remover = spawn("python3", ["-c", script, containers, ...parents]);
      try {
        await new Promise((resolve) => remover.stdout.once("data", resolve));
        const limits = ["--cgroup-parent", path, "--cpuset-cpus", "0", "-m", "32m"];
        for (let round = 0; round < 10; round++) {
          const id = sandbox.ok(["create", "--network", "none", ...limits, IMAGE, "true"]);
          expect(sandbox.bocker(["start", "-a", id])).toEqual({ code: 0, stdout: "", stderr: "" });
          sandbox.ok(["rm", id]);
        }
      } finally {
        remover.kill("SIGKILL");
      }
    } finally {
      for (const mount of mounts) removeTree(join(mount, path));
    }
  });
});

test("called from a service, neither container nor monitor nor exec stays in its cgroup", () =>
  withOwnCgroup((path) => {
    const naming = readLayout().naming.filter(({ own }) => own === "");
    const trees = [...naming, ...(readLayout().unified?.own === "" ? [readLayout().unified!] : [])];
    if (trees.length === 0) {
      console.warn("SKIPPED: a service's cgroup: this test is in one itself");
      return;
    }
    const enter = trees.map(({ mount }) => {
      mkdirSync(join(mount, path));
      return `echo 0 > ${mount}${path}/cgroup.procs`;
    });
    const fromService = (...words: string[]) =>
      sandbox.execute(["sh", "-c", `${enter.join("; ")}; exec "$0" "$@"`, BINARY, ...words]);
    const started = fromService("run", "-d", "--network", "none", "--name", "served", IMAGE, "sleep", "1000");
    expect(started.stderr).toBe("");
    const id = started.stdout.trim();
    expect(fromService("exec", "-d", "served", "sleep", "777").stderr).toBe("");
    const pid = Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", "served"]));
    const executed = cgroupValue(pid, ["memory", "cgroup.procs", "cgroup.procs"])
      .split("\n")
      .map(Number)
      .find((one) => one !== pid)!;
    for (const { names } of trees) {
      const where = (one: number) => membership(one).get(names[0] ?? "");
      expect(where(pid)).toBe(`/bocker/${id}`);
      expect(where(executed)).toBe(`/bocker/${id}`);
      expect(where(Number(statusField(pid, "PPid")))).toBe("/bocker/monitors");
      expect(where(Number(statusField(executed, "PPid")))).toBe("/bocker/monitors");
    }
    for (const { mount } of trees) expect(readFileSync(join(mount, path, "cgroup.procs"), "utf8")).toBe("");
    expect(fromService("run", "--rm", "--network", "none", IMAGE, "echo", "hello").stdout).toBe("hello\n");
    sandbox.ok(["rm", "-f", "served"]);
    expect(cgroupNames()).not.toContain(id);
  }));

const NESTS = `cd /sys/fs/cgroup/${byVersion("memory", "")} && mkdir -p a/b/c a/d e && sleep 1000 & echo $! > /sys/fs/cgroup/${byVersion("memory/", "")}a/b/cgroup.procs`;

test("bocker in a privileged container limits its own, and all of it goes", () => {
  const place = ["--tmpfs", "/var/lib/bocker", "--tmpfs", "/run/bocker"];
  const inner = [BINARY, "run", "--rm", "--network", "none", "-m", "20m", "--pids-limit", "9", "host"];
  const files = [
    byVersion("memory/memory.limit_in_bytes", "memory.max"),
    byVersion("pids/pids.max", "pids.max"),
  ];
  const read = ["cat", ...files.map((file) => `/sys/fs/cgroup/${file}`)];
  const before = cgroupNames();
  const outer = ["run", "--rm", "--privileged", "--network", "none", ...place, "host"];
  // Not the sandbox's own places, which lie in the outer container's overlay.
  expect(sandbox.ok([...outer, "env", "-u", "BOCKER_DATA", "-u", "BOCKER_RUN", ...inner, ...read])).toBe(
    `${20 << 20}\n9`,
  );
  // Those of another suite may have gone meanwhile.
  expect(cgroupNames().filter((name) => !before.includes(name))).toEqual([]);
});

describe("cgroups that a container has made", () => {
  const untilNested = (id: string) =>
    untilSync(
      () => sandbox.bocker(["exec", id, "ls", `/sys/fs/cgroup/${byVersion("memory/", "")}a/b/c`]).code === 0,
    );
  test("go with it", () => {
    const { id } = runDetached(sandbox, ["--privileged"], ["sh", "-c", `${NESTS}; exec sleep 1000`]);
    untilNested(id);
    sandbox.ok(["rm", "-f", id]);
    expect(cgroupNames()).not.toContain(id);
  });

  test("go with it, when the monitor is killed, by the next command", () => {
    const { id, pid } = runDetached(sandbox, ["--privileged"], ["sh", "-c", `${NESTS}; exec sleep 1000`]);
    untilNested(id);
    const group = cgroupDirectory(pid, "memory");
    process.kill(Number(statusField(pid, "PPid")), "SIGKILL");
    untilSync(() => readFileSync(join(group, "cgroup.procs"), "utf8") === "");
    expect(sandbox.bocker(["ps", "-a"]).stderr).toContain("went down with its monitor");
    expect(cgroupNames()).not.toContain(id);
    sandbox.ok(["rm", id]);
  });
});
