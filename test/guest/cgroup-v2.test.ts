/** cgroup v2, devices by eBPF and mount(2) overlays, on a kernel that has them: in a virtual machine. */
import { beforeAll, describe, expect, test } from "bun:test";
import { ownParts, runBusybox } from "./busybox.ts";
import { guestKernel } from "./kernel.ts";

const { kernel, missing } = guestKernel();
if (kernel === undefined) console.warn(`SKIPPED: cgroup v2 in a virtual machine needs ${missing.join(", ")}`);

describe.skipIf(kernel === undefined)("on cgroup v2", () => {
  let sections: Map<string, string>;
  const section = (name: string) => sections.get(name) ?? "";
  beforeAll(async () => {
    sections = await runBusybox(ownParts(kernel!), "cgroup-v2.sh");
  }, 700_000);

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

  test("the containers' parent holds the controllers on", () => {
    expect(section("handed-down").split(" ").sort()).toEqual(["cpu", "cpuset", "io", "memory", "pids"]);
    expect(section("switched-off-above")).toBe(`4\n${32 << 20}`);
  });

  test("--cgroup-parent, and a parent that is gone", () => {
    expect(section("parent")).toBe(`${24 << 20}\n0\n/some/where\n0::/\nparted\n0`);
    expect(section("parent-removed")).toBe(String(24 << 20));
  });

  test("container, exec and their monitors leave the service that bocker was called from", () => {
    expect(section("service").split("\n").sort()).toEqual([
      "bocker-exec",
      "bocker-monitor",
      "served",
      "true",
    ]);
  });

  test("in a container, bocker makes room for controllers first, and says so", () => {
    expect(section("nested-explain").replace(/\s+/g, " ")).toContain(
      "move the processes of /sys/fs/cgroup to /sys/fs/cgroup/init bocker is in a container",
    );
    expect(section("nested-limits")).toBe(`${20 << 20}\n25000 100000\n33`);
    expect(section("nested-again")).toBe(`0\n0::/\n${20 << 20}`);
    const [memory, controllers, own, inner, limit] = section("nested-places").split("\n");
    expect(memory).toBe(String(256 << 20));
    expect(controllers?.split(" ").sort()).toEqual(["cpu", "cpuset", "io", "memory", "pids"]);
    expect(own).toBe("0::/init");
    expect([inner, limit]).toEqual(["1", String(20 << 20)]);
    expect(section("nested-oom")).toBe("code 137\ntrue");
  });

  test("what was made in a container goes with it", () => {
    expect(section("nested-removed")).toBe("outer");
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

  test("pause and unpause, and rm -f of what is paused", () => {
    expect(section("paused")).toMatch(
      /^limited\n1\nfrozen 1\n2\nlimited\n0\n[\d.]+[KM]iB \/ 32MiB 2 0B \/ 0B\nlimited$/,
    );
  });

  test("limits are changed while it runs", () => {
    expect(section("update")).toBe("limited\n41943040\n0\n25000 100000\n0\nmax");
  });

  test("a restart policy starts a container from where monitors are", () => {
    expect(section("restart")).toBe("2 exited 1\nagain");
  });

  test("out of memory is told from being killed", () => {
    expect(section("oom")).toContain("code 137");
    expect(section("oom")).toContain("true 137");
  });

  test("layers are stacked by mount(2) where the kernel has no lowerdir+", () => {
    expect(section("many-layers")).toBe("1\n8\n1");
    expect(section("upon-host")).toBe("upon the host\n/bin/busybox");
  });

  test("the bridge and a published port work", () => {
    expect(section("bridge")).toBe("hello from v2\nserver");
  });

  test("a privileged container may write to its cgroup", () => {
    expect(section("privileged")).toContain("device works");
    expect(section("privileged")).toContain("type cgroup2 (rw,");
  });

  test("nothing is left", () => {
    expect(section("removed")).toBe("limited");
    expect(section("left")).toBe("0");
  });
});
