/** cgroup v2, devices by eBPF and mount(2) overlays, on a kernel that has them: in a virtual machine. */
import { beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fetchKernel, findKernel, runGuest } from "./guest.ts";

const missing = [
  spawnSync("qemu-system-x86_64", ["--version"]).status === 0 ? "" : "qemu-system-x86",
  existsSync("/bin/busybox") ? "" : "busybox-static",
  process.arch === "x64" ? "" : "an x86-64 machine",
].filter((name) => name !== "");
const kernel = missing.length > 0 ? undefined : (findKernel() ?? (fetchKernel() ? findKernel() : undefined));
if (kernel === undefined)
  console.warn(
    `SKIPPED: cgroup v2 in a virtual machine needs ${missing.join(", ") || "linux-image-cloud-amd64"}`,
  );

describe.skipIf(kernel === undefined)("on cgroup v2", () => {
  let sections: Map<string, string>;
  const section = (name: string) => sections.get(name) ?? "";
  beforeAll(() => {
    sections = runGuest(kernel!, "cgroup-v2.sh");
  }, 300_000);

  test("containers run", () => {
    expect(section("kernel")).toContain("memory");
    expect(section("init")).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(section("run")).toBe("out\ncode 42");
    expect(section("host-image")).toBe("from the host image");
    expect(section("info")).toBe("2");
  });

  test("every limit can be read back from the kernel", () => {
    expect(section("limit memory.max")).toBe(String(32 << 20));
    expect(section("limit memory.swap.max")).toBe(String(16 << 20));
    expect(section("limit memory.low")).toBe(String(16 << 20));
    expect(section("limit cpu.max")).toBe("50000 100000");
    expect(section("limit cpu.weight")).toBe("20");
    expect(section("limit cpuset.cpus")).toBe("1");
    expect(section("limit pids.max")).toBe("21");
    expect(section("limit cgroup.procs").split("\n")).toHaveLength(1);
  });

  test("the container sees its own cgroup as the root, read-only", () => {
    const [own, mounted, pids] = section("inside").split("\n");
    expect(own).toBe("0::/");
    expect(mounted).toMatch(/^cgroup2? on \/sys\/fs\/cgroup type cgroup2 \(ro,nosuid,nodev,noexec,relatime/);
    expect(pids).toBe("21");
    expect(section("exec-joins")).toBe("2");
  });

  test("devices are refused unless allowed", () => {
    const text = section("devices");
    expect(text).toContain("null works");
    // Making a node is allowed, as in Docker; opening it is not.
    expect(text).toContain("mknod works");
    expect(text).toContain("Operation not permitted");
    expect(text).toContain("tty reads");
    expect(text.split("\n").at(-1)).toContain("Operation not permitted");
  });

  test("a running container is frozen for its commit, and goes on", () => {
    expect(section("commit-frozen")).toBe("committed\n0");
  });

  test("out of memory is told from being killed", () => {
    expect(section("oom")).toContain("code 137");
    expect(section("oom")).toContain("true 137");
  });

  test("layers are stacked by mount(2) where the kernel has no lowerdir+", () => {
    expect(section("many-layers")).toBe("1\n8\n1");
  });

  test("the bridge and a published port work", () => {
    expect(section("bridge")).toBe("hello from v2\nserver");
  });

  test("a privileged container may write to its cgroup", () => {
    expect(section("privileged")).toContain("device works");
    expect(section("privileged")).toContain("type cgroup2 (rw,");
  });

  test("nothing is left", () => {
    expect(section("removed")).toContain("No such file or directory");
    expect(section("left")).toBe("ls: /sys/fs/cgroup/bocker-*: No such file or directory\n0");
  });
});
