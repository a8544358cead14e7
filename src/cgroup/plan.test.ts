/** What is planned on machines of every kind, by the files that they would show. */
import { describe, expect, test } from "bun:test";
import type { RuntimeResources } from "../spec/runtime.ts";
import { planJoin } from "./join.ts";
import { parseLayout, readLayout } from "./layout.ts";
import { planMonitor } from "./monitors.ts";
import { cgroupPath, parseCgroupParent, pathsAbove } from "./place.ts";
import { planCgroup } from "./plan.ts";
import type { Read } from "./read.ts";

const RESOURCES: RuntimeResources = { devices: [], memory: { limit: 1 << 20 } };
const CONTROLLERS = "cpuset cpu io memory pids";
const SUBTREE = "cgroup.subtree_control";

function machine(files: Record<string, string>): Read {
  return (path) => files[path];
}

const UNIFIED = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
function unified(files: Record<string, string>, own = "0::/user.slice/session-1.scope\n"): Read {
  return machine({
    "/proc/self/mountinfo": UNIFIED,
    "/proc/self/cgroup": own,
    "/sys/fs/cgroup/cgroup.controllers": `${CONTROLLERS} hugetlb misc\n`,
    ...files,
  });
}
const planned = (read: Read, path = "/bocker/ID", resources = RESOURCES) =>
  planCgroup(path, resources, readLayout(read), read);
const handed = (read: Read, path?: string) =>
  planned(read, path).handDown.map(({ path: file, value }) => [file, value]);

describe("cgroup v2", () => {
  test("a new parent hands the controllers down, and so do those above it where they do not", () => {
    const read = unified({ [`/sys/fs/cgroup/${SUBTREE}`]: "memory pids\n" });
    expect(planned(read).parents).toEqual(["/sys/fs/cgroup/bocker"]);
    expect(handed(read)).toEqual([
      [`/sys/fs/cgroup/${SUBTREE}`, "+cpuset +cpu +io"],
      [`/sys/fs/cgroup/bocker/${SUBTREE}`, "+cpuset +cpu +io +memory +pids"],
    ]);
    expect(planned(read).evacuation).toBeUndefined();
  });

  test("nothing is written where the parent hands all down; it is made all the same", () => {
    const reads: string[] = [];
    const read = unified({ [`/sys/fs/cgroup/bocker/${SUBTREE}`]: CONTROLLERS });
    const plan = planned((path) => {
      reads.push(path);
      return read(path);
    });
    expect(plan.handDown).toEqual([]);
    expect(plan.parents).toEqual(["/sys/fs/cgroup/bocker"]);
    expect(reads.filter((path) => path.startsWith("/sys"))).toHaveLength(2);
  });

  test("what a kernel does not have is not asked for", () => {
    const read = unified({ "/sys/fs/cgroup/cgroup.controllers": "memory pids\n" });
    expect(handed(read)).toEqual([
      [`/sys/fs/cgroup/${SUBTREE}`, "+memory +pids"],
      [`/sys/fs/cgroup/bocker/${SUBTREE}`, "+memory +pids"],
    ]);
  });

  test("every level of another parent hands down; at the top there is only the top", () => {
    const read = unified({
      [`/sys/fs/cgroup/${SUBTREE}`]: CONTROLLERS,
      [`/sys/fs/cgroup/a/${SUBTREE}`]: "memory\n",
    });
    expect(handed(read, "/a/b/ID")).toEqual([
      [`/sys/fs/cgroup/a/${SUBTREE}`, "+cpuset +cpu +io +pids"],
      [`/sys/fs/cgroup/a/b/${SUBTREE}`, "+cpuset +cpu +io +memory +pids"],
    ]);
    expect(planned(read, "/ID").parents).toEqual([]);
    expect(handed(read, "/ID")).toEqual([]);
  });

  test("a top that is none and has processes is vacated, if controllers are to be switched on there", () => {
    const nested = { "/sys/fs/cgroup/cgroup.type": "domain\n", "/sys/fs/cgroup/cgroup.procs": "1\n7\n" };
    const evacuation = { from: "/sys/fs/cgroup", to: "/sys/fs/cgroup/init" };
    expect(planned(unified(nested, "0::/\n")).evacuation).toEqual(evacuation);
    const empty = { ...nested, "/sys/fs/cgroup/cgroup.procs": "" };
    expect(planned(unified(empty, "0::/init\n")).evacuation).toBeUndefined();
    const done = { ...nested, [`/sys/fs/cgroup/bocker/${SUBTREE}`]: CONTROLLERS };
    expect(planned(unified(done)).evacuation).toBeUndefined();
    const on = { ...nested, [`/sys/fs/cgroup/${SUBTREE}`]: CONTROLLERS };
    expect(planned(unified(on)).evacuation).toBeUndefined();
  });

  test("a launcher is born among the monitors, unless there is no service to leave", () => {
    expect(planMonitor(readLayout(unified({}))).bornIn).toEqual({
      directory: "/sys/fs/cgroup/bocker/monitors",
      directories: ["/sys/fs/cgroup/bocker", "/sys/fs/cgroup/bocker/monitors"],
    });
    expect(planMonitor(readLayout(unified({}, "0::/\n")))).toEqual({
      bornIn: undefined,
      directories: [],
      enter: [],
    });
  });

  test("an exec joins its container's first process, where that has moved to below its cgroup", () => {
    const layout = readLayout(unified({}));
    const join = (path: string) =>
      planJoin("/bocker/ID", 7, layout, machine({ "/proc/7/cgroup": `0::${path}\n` })).cloneInto;
    expect(join("/bocker/ID")).toBe("/sys/fs/cgroup/bocker/ID");
    expect(join("/bocker/ID/init")).toBe("/sys/fs/cgroup/bocker/ID/init");
    expect(() => join("/bocker/IDENTICAL")).toThrow(
      "process 7 of the container is not in its cgroup /bocker/ID",
    );
    expect(() => join("/../elsewhere")).toThrow("not in its cgroup");
  });
});

const HYBRID = `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct,favordynmods
33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 31 0:31 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
35 31 0:32 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
37 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/a/b,name=systemd
38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
39 40 0:30 / /chroot/memory rw - cgroup cgroup rw,memory
`;
const membership = (path: string) => `9:name=systemd:${path}
5:cpuset:/
4:cpu,cpuacct:/
3:memory:/
2:pids:/
0::${path}
`;
function hybrid(path: string, files: Record<string, string> = {}): Read {
  return machine({ "/proc/self/mountinfo": HYBRID, "/proc/self/cgroup": membership(path), ...files });
}

describe("cgroup v1 and hybrid", () => {
  test("the hierarchies are told from each other, and options are no controllers", () => {
    const layout = parseLayout(HYBRID, membership("/system.slice/a.service"));
    expect(layout.unified).toBeUndefined();
    expect([...layout.controllers].map(([name, { mount }]) => `${name} ${mount}`)).toEqual([
      "cpu /sys/fs/cgroup/cpu,cpuacct",
      "cpuacct /sys/fs/cgroup/cpu,cpuacct",
      "memory /sys/fs/cgroup/memory",
      "pids /sys/fs/cgroup/pids",
      "cpuset /sys/fs/cgroup/cpuset",
    ]);
    expect(layout.naming.map(({ mount, own }) => `${mount} ${own}`)).toEqual([
      "/sys/fs/cgroup/systemd /system.slice/a.service",
      "/sys/fs/cgroup/unified /system.slice/a.service",
    ]);
  });

  test("one directory for each mount, and the container sees each at its name", () => {
    const plan = planned(hybrid("/"));
    const mounts = ["memory", "cpu,cpuacct", "pids"].map((name) => `/sys/fs/cgroup/${name}`);
    expect(plan.parents).toEqual(mounts.map((mount) => `${mount}/bocker`));
    expect(plan.directories).toEqual(mounts.map((mount) => `${mount}/bocker/ID`));
    expect(plan.binds).toEqual(mounts.map((mount) => [`${mount}/bocker/ID`, mount]));
    expect(plan.enter).toEqual(mounts.map((mount) => `${mount}/bocker/ID/tasks`));
    expect([plan.version, plan.cloneInto]).toEqual([1, undefined]);
  });

  test("a cpuset's parents are filled where they are empty, and only there", () => {
    const files = {
      "/sys/fs/cgroup/cpuset/cpuset.cpus": "0-3\n",
      "/sys/fs/cgroup/cpuset/cpuset.mems": "0\n",
    };
    const resources: RuntimeResources = { devices: [], cpu: { cpus: "1" } };
    const writes = (more: Record<string, string>, path: string) => {
      const { handDown, limits } = planned(hybrid("/", { ...files, ...more }), path, resources);
      return [...handDown, ...limits]
        .filter(({ path: file }) => file.includes("cpuset."))
        .map(({ path: file, value }) => `${file.slice("/sys/fs/cgroup/cpuset".length)} ${value}`);
    };
    expect(writes({}, "/bocker/ID")).toEqual([
      "/bocker/cpuset.cpus 0-3",
      "/bocker/cpuset.mems 0",
      "/bocker/ID/cpuset.mems 0",
      "/bocker/ID/cpuset.cpus 1",
    ]);
    const filled = {
      "/sys/fs/cgroup/cpuset/a/cpuset.cpus": "1-2\n",
      "/sys/fs/cgroup/cpuset/a/cpuset.mems": "\n",
    };
    expect(writes(filled, "/a/b/ID")).toEqual([
      "/a/cpuset.mems 0",
      "/a/b/cpuset.cpus 1-2",
      "/a/b/cpuset.mems 0",
      "/a/b/ID/cpuset.mems 0",
      "/a/b/ID/cpuset.cpus 1",
    ]);
  });

  test("called from a service, container and monitor leave it in the trees that name services", () => {
    const read = hybrid("/system.slice/a.service");
    const plan = planned(read);
    expect(plan.parents.slice(-2)).toEqual([
      "/sys/fs/cgroup/systemd/bocker",
      "/sys/fs/cgroup/unified/bocker",
    ]);
    expect(plan.directories.slice(-2)).toEqual([
      "/sys/fs/cgroup/systemd/bocker/ID",
      "/sys/fs/cgroup/unified/bocker/ID",
    ]);
    expect(plan.enter.at(-1)).toBe("/sys/fs/cgroup/systemd/bocker/ID/tasks");
    expect([plan.version, plan.cloneInto]).toEqual([1, "/sys/fs/cgroup/unified/bocker/ID"]);
    expect(planMonitor(readLayout(read))).toEqual({
      bornIn: {
        directory: "/sys/fs/cgroup/unified/bocker/monitors",
        directories: ["/sys/fs/cgroup/unified/bocker", "/sys/fs/cgroup/unified/bocker/monitors"],
      },
      directories: ["/sys/fs/cgroup/systemd/bocker", "/sys/fs/cgroup/systemd/bocker/monitors"],
      enter: ["/sys/fs/cgroup/systemd/bocker/monitors/tasks"],
    });
  });

  test("an exec joins whatever its container is in, called from a service or not", () => {
    const process = `9:name=systemd:/bocker/ID\n5:cpuset:/\n4:cpu,cpuacct:/bocker/ID\n3:memory:/bocker/ID/deep\n0::/\n`;
    const join = planJoin("/bocker/ID", 7, readLayout(hybrid("/")), machine({ "/proc/7/cgroup": process }));
    expect(join).toEqual({
      enter: [
        "/sys/fs/cgroup/cpu,cpuacct/bocker/ID/tasks",
        "/sys/fs/cgroup/memory/bocker/ID/deep/tasks",
        "/sys/fs/cgroup/systemd/bocker/ID/tasks",
      ],
      cloneInto: undefined,
    });
  });

  test("in a container of v1, paths are those below what is mounted", () => {
    const read = machine({
      "/proc/self/mountinfo": "33 31 0:30 /bocker/OUT /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
      "/proc/self/cgroup": "3:memory:/bocker/OUT\n",
      "/proc/7/cgroup": "3:memory:/bocker/OUT/bocker/ID\n",
    });
    const layout = readLayout(read);
    expect(planJoin("/bocker/ID", 7, layout, read).enter).toEqual(["/sys/fs/cgroup/memory/bocker/ID/tasks"]);
    expect(layout.hierarchies[0]?.own).toBe("");
  });

  test("a limit that no hierarchy can set is refused", () => {
    expect(() => planned(hybrid("/"), "/bocker/ID", { devices: [], cpu: { cpus: "0" } })).not.toThrow();
    const layout = parseLayout("", "");
    expect(() => planCgroup("/bocker/ID", RESOURCES, layout)).toThrow("no memory cgroup controller");
  });
});

describe("--cgroup-parent", () => {
  test("is a path from the top of the hierarchies", () => {
    expect(cgroupPath(undefined, "ID")).toBe("/bocker/ID");
    expect(cgroupPath("/a/b", "ID")).toBe("/a/b/ID");
    expect(cgroupPath("a//b/./c/", "ID")).toBe("/a/b/c/ID");
    expect(cgroupPath("/", "ID")).toBe("/ID");
    expect(pathsAbove("/a/b/ID")).toEqual(["/a", "/a/b"]);
    expect(pathsAbove("/ID")).toEqual([]);
  });

  test.each(["..", "/..", "a/../b", "a/..", "a\nb", "\0", ""])("%j leads elsewhere", (text) => {
    expect(() => parseCgroupParent(text)).toThrow("invalid cgroup parent");
  });
});
