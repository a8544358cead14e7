/** The door of this room: a container's cgroups on whatever hierarchies the machine has. */
import { readFileSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import type { RuntimeResources } from "../spec/runtime.ts";
import type { CgroupPlan } from "./contribution.ts";
import { type CgroupLayout, readLayout } from "./layout.ts";
import { planV1 } from "./v1/plan.ts";
import { planV2 } from "./v2/plan.ts";

function words(path: string): string[] {
  return readFileSync(path, "utf8").trim().split(/\s+/).filter(Boolean);
}

/**
 * @param name the cgroup's name, unique on the machine
 * @throws BockerError "platform" when a limit was asked for and no hierarchy can set it
 */
export function planCgroup(
  name: string,
  resources: RuntimeResources,
  layout: CgroupLayout = readLayout(),
): CgroupPlan {
  if (layout.unified !== undefined) {
    const available = words(`${layout.unified}/cgroup.controllers`);
    const enabled = words(`${layout.unified}/cgroup.subtree_control`);
    return planV2(layout.unified, name, resources, { available, enabled });
  }
  const { controllers } = layout;
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
  const cpuset = resources.cpu?.cpus !== undefined || resources.cpu?.mems !== undefined;
  const root = controllers.get("cpuset");
  const inherited =
    cpuset && root !== undefined
      ? {
          cpus: readFileSync(`${root}/cpuset.cpus`, "utf8").trim(),
          mems: readFileSync(`${root}/cpuset.mems`, "utf8").trim(),
        }
      : { cpus: "", mems: "" };
  return planV1(controllers, name, resources, inherited);
}
