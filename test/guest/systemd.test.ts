/** bocker where a real systemd manages the cgroups: Debian's, in a virtual machine, with each layout that it knows. */
import { beforeAll, describe, expect, test } from "bun:test";
import { debianDisk, type Made } from "../e2e/debian-root.ts";
import { guestKernel } from "./kernel.ts";
import { runSystemd } from "./systemd.ts";

const { kernel, missing } = guestKernel();
const disk: Made = kernel === undefined ? { reason: `no ${missing.join(", ")}` } : debianDisk();
if ("reason" in disk) console.warn(`SKIPPED: bocker beside systemd in a virtual machine: ${disk.reason}`);

const LAYOUTS = {
  unified: "systemd.unified_cgroup_hierarchy=1",
  hybrid: "systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=0",
  legacy: "systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1",
};
type Layout = keyof typeof LAYOUTS;

const LIMITS = `${24 << 20} 50000 100000 20 1`;

describe.skipIf("reason" in disk)("beside systemd", () => {
  const machines = new Map<string, Map<string, string>>();
  const section = (layout: Layout, name: string) => machines.get(layout)?.get(name);
  beforeAll(async () => {
    const path = "path" in disk ? disk.path : "";
    const names = Object.keys(LAYOUTS) as Layout[];
    // One waits for its disks and timers where the other works.
    await Promise.all(
      names.map(async (layout) => {
        machines.set(layout, await runSystemd(kernel!, path, "systemd.sh", LAYOUTS[layout]));
      }),
    );
  }, 700_000);

  test("without a parent that holds them, systemd switches controllers off, and limits are gone", () => {
    expect(section("unified", "danger")).toEndWith("No such file or directory");
  });

  test("the parent of containers holds the controllers on", () => {
    const lines = section("unified", "handed-down")?.split("\n") ?? [];
    expect(lines).toHaveLength(2);
    for (const line of lines)
      expect(line.split(" ")).toEqual(expect.arrayContaining(["cpu", "cpuset", "io", "memory", "pids"]));
  });

  test("the script of --explain=sh makes its container there, too, and leaves the service", () => {
    expect(section("unified", "script")).toBe(`${64 << 20}\n/system.slice/the-test.service`);
  });

  const UNDER = {
    unified: ["cgroup2fs", ""],
    hybrid: ["tmpfs", "/sys/fs/cgroup/memory /sys/fs/cgroup/unified"],
    legacy: ["tmpfs", "/sys/fs/cgroup/memory"],
  };
  describe.each(Object.keys(LAYOUTS) as Layout[])("%s", (layout) => {
    test("it is systemd, with these hierarchies", () => {
      const [init, , own] = section(layout, "machine")?.split("\n") ?? [];
      expect([init, own]).toEqual(["systemd", "/system.slice/the-test.service"]);
      const [type, ...mounts] = section(layout, "hierarchies")?.split(/\s+/) ?? [];
      expect([type ?? "", mounts.join(" ")]).toEqual(UNDER[layout]);
    });

    test("a container outlives the service that started it, with its limits", () => {
      expect(section(layout, "from-a-service")).toBe(`inactive\n/kept true\n${LIMITS}`);
    });

    test("container and monitor are in no unit's cgroup", () => {
      const none = "does not belong to any loaded unit";
      expect(section(layout, "places")).toBe(`/bocker/ID\n${none}\n/bocker/monitors\n${none}`);
    });

    test("containers and execs outlive a service that is stopped, and a scope", () => {
      expect(section(layout, "from-a-service-that-is-stopped")).toBe(
        "inactive\n/held true\n/kept true\n/bocker/ID",
      );
      expect(section(layout, "from-a-scope")).toBe("/scoped true");
    });

    test("limits stay through daemon-reload, daemon-reexec, and units that come and go", () => {
      expect(section(layout, "daemon-reload")).toBe(LIMITS);
      expect(section(layout, "daemon-reexec")).toBe(LIMITS);
      expect(section(layout, "transient")).toBe([LIMITS, LIMITS, LIMITS].join("\n"));
    });

    test("and they are in force", () => {
      expect(section(layout, "still-in-force")).toBe(
        "code 137\nCannot fork\n/bocker/ID\ndoes not belong to any loaded unit",
      );
    });

    test("nothing is left but empty parents, and no unit has failed", () => {
      expect(section(layout, "removed")).toBe("kept\nheld\nscoped\n0\nempty");
      expect(section(layout, "failed-units")).toBe("0");
    });
  });
});
