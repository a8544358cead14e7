/** The bridge and the table that running containers need: somebody may have deleted them. */
import { DEFAULT_BRIDGE, previewBridge } from "../../network/bridge/bridge.ts";
import { attachInterfaces, detachedInterfaces } from "../../network/bridge/ports-of-bridge.ts";
import type { Engine } from "../engine.ts";
import { attachedPids, ensureDefaultBridge } from "../restore-network.ts";
import type { Finding } from "./finding.ts";

/** Without containers on it there need be no bridge: the next start makes it. */
export function checkBridge(engine: Engine): Finding[] {
  const pids = attachedPids(engine);
  if (pids.length === 0) return [];
  const subject = `bridge ${DEFAULT_BRIDGE}`;
  if (previewBridge({ name: DEFAULT_BRIDGE }).steps.length > 0) {
    const mend = () => {
      ensureDefaultBridge(engine);
      return "it is made again, and running containers are on it";
    };
    return [{ subject, problem: "or its firewall is gone, and running containers need it", mend }];
  }
  return detachedInterfaces(pids).map((link) => ({
    subject: `interface ${link.name}`,
    problem: `is a running container's, and no port of ${DEFAULT_BRIDGE}`,
    mend: () => {
      attachInterfaces([link], ensureDefaultBridge(engine));
      return "it is again";
    },
  }));
}
