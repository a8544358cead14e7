/** The door of this room: a container's cgroups on whatever hierarchies the machine has. */
import { BockerError } from "../base/errors.ts";
import type { RuntimeResources } from "../spec/runtime.ts";
import type { CgroupPlan } from "./contribution.ts";
import { type CgroupLayout, readLayout } from "./layout.ts";
import { pathsAbove } from "./place.ts";
import { type Read, readHere } from "./read.ts";
import { planV1 } from "./v1/plan.ts";
import { planV2 } from "./v2/plan.ts";

/**
 * Where a service manager knows its processes by a hierarchy without controllers, a container leaves the cgroup of
 * the service that bocker was called from there, too: it is not to end with it. At the top there is no service.
 */
function withNames(plan: CgroupPlan, path: string, layout: CgroupLayout): CgroupPlan {
  const named = layout.naming.filter(({ own }) => own !== "");
  if (named.length === 0) return plan;
  const first = named.filter(({ version }) => version === 1);
  const second = named.find(({ version }) => version === 2);
  return {
    ...plan,
    parents: [
      ...plan.parents,
      ...named.flatMap(({ mount }) => pathsAbove(path).map((above) => `${mount}${above}`)),
    ],
    directories: [...plan.directories, ...named.map(({ mount }) => `${mount}${path}`)],
    enter: [...plan.enter, ...first.map(({ mount }) => `${mount}${path}/tasks`)],
    cloneInto: plan.cloneInto ?? (second === undefined ? undefined : `${second.mount}${path}`),
  };
}

/**
 * @param path the cgroup's, below each hierarchy's mount, unique on the machine (place.ts)
 * @throws BockerError "platform" when a limit was asked for and no hierarchy can set it
 */
export function planCgroup(
  path: string,
  resources: RuntimeResources,
  layout: CgroupLayout = readLayout(),
  read: Read = readHere,
): CgroupPlan {
  const { unified, controllers } = layout;
  if (unified !== undefined) return withNames(planV2(unified, path, resources, read), path, layout);
  for (const [controller, wanted] of [
    ["memory", resources.memory],
    ["cpu", resources.cpu?.shares ?? resources.cpu?.quota],
    ["cpuset", resources.cpu?.cpus ?? resources.cpu?.mems],
    ["pids", resources.pids],
  ] as const)
    if (wanted !== undefined && !controllers.has(controller))
      throw new BockerError(
        "platform",
        `this machine has no ${controller} cgroup controller, so that limit cannot be set`,
      );
  return withNames(planV1(controllers, path, resources, read), path, layout);
}
