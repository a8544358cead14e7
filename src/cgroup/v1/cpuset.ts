/** A v1 cpuset is born empty, and its children can have only what it has (cpusets.rst): so the parents are filled. */
import type { CgroupWrite } from "../contribution.ts";
import type { Read } from "../read.ts";

/**
 * What the cgroups above a container lack, and what it has of theirs then.
 * @param above their paths below the mount, the outermost first
 */
export function handDownCpuset(
  mount: string,
  above: string[],
  read: Read,
): { writes: CgroupWrite[]; inherited: { cpus: string; mems: string } } {
  const value = (path: string, name: string) => (read(`${mount}${path}/cpuset.${name}`) ?? "").trim();
  const inherited = { cpus: value("", "cpus"), mems: value("", "mems") };
  const writes: CgroupWrite[] = [];
  for (const path of above)
    for (const name of ["cpus", "mems"] as const) {
      const found = value(path, name);
      if (found === "")
        writes.push({
          path: `${mount}${path}/cpuset.${name}`,
          value: inherited[name],
          why: "a new cpuset has nothing, and those below it can have no more",
        });
      else inherited[name] = found;
    }
  return { writes, inherited };
}
