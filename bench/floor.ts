/** What the floor program needs of the machine. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { run } from "./program.ts";

const TOP = "/sys/fs/cgroup";

/** The hierarchies that a container with Docker's limits is in. */
export function floorCgroups(): string[] {
  const v1 = ["cpu", "cpuacct", "memory", "devices", "freezer", "pids"].map((name) => join(TOP, name));
  const present = v1.filter((path) => existsSync(path));
  return present.length > 0 ? present : [TOP];
}

/** The cgroups of a container that a second program in it has to enter, one in each hierarchy that limits something. */
export function cgroupsOf(pid: number): string[] {
  const limiting = floorCgroups();
  return readFileSync(`/proc/${pid}/cgroup`, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(":"))
    .map(([, names = "", path = ""]) => {
      const hierarchy = names === "" ? "unified" : names.replace("name=", "");
      return existsSync(join(TOP, hierarchy)) ? join(TOP, hierarchy, path) : join(TOP, path);
    })
    .filter((path) => existsSync(path) && limiting.some((top) => path === top || path.startsWith(`${top}/`)));
}

/** A bridge, a table and directories for it: what an engine has, too, before its second container. */
export function prepareFloor(bench: Bench): void {
  for (const name of ["root", "volume"]) mkdirSync(join(bench.directory, "floor", name), { recursive: true });
  run(["ip", "link", "add", "floor0", "type", "bridge"]);
  run(["ip", "address", "add", "10.199.0.1/16", "dev", "floor0"]);
  run(["ip", "link", "set", "floor0", "up"]);
  const table =
    "add table ip floor; add map ip floor ports { type inet_service : ipv4_addr . inet_service; }";
  run(["nft", table]);
}
