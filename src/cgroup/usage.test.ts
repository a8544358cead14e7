/** What is read of a cgroup's files on machines of both kinds. */
import { expect, test } from "bun:test";
import { readLayout } from "./layout.ts";
import { cgroupUsage } from "./usage.ts";

const usageOf = (mountinfo: string, membership: string, files: Record<string, string>) => {
  const read = (path: string) =>
    ({ "/proc/self/mountinfo": mountinfo, "/proc/self/cgroup": membership, ...files })[path];
  return cgroupUsage("/bocker/ID", readLayout(read), read);
};

test("cgroup v2", () => {
  const at = "/sys/fs/cgroup/bocker/ID";
  const v2 = (files: Record<string, string>) =>
    usageOf("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/\n", {
      "/sys/fs/cgroup/cgroup.controllers": "cpu io memory pids\n",
      ...files,
    });
  const files = {
    [`${at}/cpu.stat`]: "usage_usec 2500\nuser_usec 2000\nsystem_usec 500\n",
    [`${at}/memory.current`]: "5000000\n",
    [`${at}/memory.stat`]: "anon 3000000\nfile 2000000\ninactive_file 1000000\nactive_file 7\n",
    [`${at}/memory.max`]: "9000000\n",
    [`${at}/pids.current`]: "3\n",
    [`${at}/io.stat`]: "8:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2\n",
  };
  expect(v2(files)).toEqual({
    cpu: 2_500_000,
    memory: 4_000_000,
    memoryLimit: 9_000_000,
    pids: 3,
    io: { read: 101, written: 22 },
  });
  // Without a limit, without a controller, and when it is gone.
  expect(v2({ ...files, [`${at}/memory.max`]: "max\n" })?.memoryLimit).toBeUndefined();
  const { [`${at}/io.stat`]: _, ...withoutIo } = files;
  expect(v2(withoutIo)?.io).toBeUndefined();
  expect(v2({})).toBeUndefined();
  // What is cached may be counted a moment later than all: then nothing is taken off.
  expect(v2({ ...files, [`${at}/memory.current`]: "10\n" })?.memory).toBe(10);
});

test("cgroup v1", () => {
  const mount = (names: string) => `30 23 0:26 / /cg/${names} rw - cgroup cgroup rw,${names}\n`;
  const mountinfo = ["memory", "cpuacct", "pids"].map(mount).join("");
  const membership = "3:memory:/\n2:cpuacct:/\n1:pids:/\n";
  const files = {
    "/cg/cpuacct/bocker/ID/cpuacct.usage": "123456\n",
    "/cg/memory/bocker/ID/memory.usage_in_bytes": "4096000\n",
    "/cg/memory/bocker/ID/memory.stat": "inactive_file 1\ntotal_inactive_file 96000\n",
    "/cg/memory/bocker/ID/memory.limit_in_bytes": "67108864\n",
    "/cg/pids/bocker/ID/pids.current": "2\n",
  };
  expect(usageOf(mountinfo, membership, files)).toEqual({
    cpu: 123456,
    memory: 4_000_000,
    memoryLimit: 67108864,
    pids: 2,
    io: undefined,
  });
  const unlimited = { ...files, "/cg/memory/bocker/ID/memory.limit_in_bytes": "9223372036854771712\n" };
  expect(usageOf(mountinfo, membership, unlimited)?.memoryLimit).toBeUndefined();
  expect(usageOf(mountinfo, membership, {})).toBeUndefined();
});
