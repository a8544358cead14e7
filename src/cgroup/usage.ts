/** What the processes of a cgroup, and of those below it, have used, and use now. */
import { type CgroupLayout, readLayout } from "./layout.ts";
import { type Read, readHere, words } from "./read.ts";

export interface CgroupUsage {
  /** Nanoseconds of processors, since it was made. */
  cpu: number;
  /** Bytes, as Docker counts: without the file cache that could go at once. */
  memory: number;
  /** Bytes; undefined without a limit. */
  memoryLimit: number | undefined;
  pids: number;
  /** Bytes that were read from and written to disks; undefined where nobody counts (v1, for which bocker makes no blkio cgroup). */
  io: { read: number; written: number } | undefined;
}

const count = (text: string | undefined) => Number(text ?? 0) || 0;

/** The number behind a name, in a file of lines "name number". */
function field(text: string | undefined, name: string): number {
  const line = (text ?? "").split("\n").find((one) => one.startsWith(`${name} `));
  return count(line?.slice(name.length + 1));
}

const withoutCache = (usage: number, cache: number) => (cache < usage ? usage - cache : usage);

/** io.stat (cgroup-v2.rst): "8:0 rbytes=1 wbytes=2 …", a line for each device. */
function ioOf(text: string | undefined): CgroupUsage["io"] {
  if (text === undefined) return undefined;
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`\\b${name}=(\\d+)`, "g"))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  return { read: sum("rbytes"), written: sum("wbytes") };
}

function usageV2(directory: string, read: Read): CgroupUsage | undefined {
  const cpu = read(`${directory}/cpu.stat`);
  if (cpu === undefined) return undefined;
  const max = (read(`${directory}/memory.max`) ?? "max").trim();
  return {
    cpu: field(cpu, "usage_usec") * 1000,
    memory: withoutCache(
      count(read(`${directory}/memory.current`)),
      field(read(`${directory}/memory.stat`), "inactive_file"),
    ),
    memoryLimit: max === "max" ? undefined : Number(max),
    pids: count(read(`${directory}/pids.current`)),
    io: ioOf(read(`${directory}/io.stat`)),
  };
}

/** v1 writes "no limit" as the largest multiple of a page. */
const UNLIMITED = 2 ** 62;

function usageV1(path: string, { controllers }: CgroupLayout, read: Read): CgroupUsage | undefined {
  const file = (controller: string, name: string) => {
    const hierarchy = controllers.get(controller);
    return hierarchy === undefined ? undefined : read(`${hierarchy.mount}${path}/${name}`);
  };
  const cpu = file("cpuacct", "cpuacct.usage");
  const pids = file("pids", "pids.current");
  if (cpu === undefined && pids === undefined) return undefined;
  const limit = count(file("memory", "memory.limit_in_bytes"));
  return {
    cpu: count(cpu),
    memory: withoutCache(
      count(file("memory", "memory.usage_in_bytes")),
      field(file("memory", "memory.stat"), "total_inactive_file"),
    ),
    memoryLimit: limit === 0 || limit > UNLIMITED ? undefined : limit,
    pids: words(pids).map(Number)[0] ?? 0,
    io: undefined,
  };
}

/**
 * The usage of a cgroup; undefined where there is none (any more).
 * @param path below each hierarchy's mount
 */
export function cgroupUsage(
  path: string,
  layout: CgroupLayout = readLayout(),
  read: Read = readHere,
): CgroupUsage | undefined {
  return layout.unified === undefined
    ? usageV1(path, layout, read)
    : usageV2(`${layout.unified.mount}${path}`, read);
}
