/** What is done when the bridge or the table was deleted under running containers: they are given back what they had. */
import { DEFAULT_BRIDGE, type EnsuredBridge, ensureBridge } from "../network/bridge/bridge.ts";
import { attachInterfaces, detachedInterfaces } from "../network/bridge/ports-of-bridge.ts";
import { readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";
import { republishPorts } from "./ports.ts";

/** First processes of the containers that run and are on the bridge. */
export function attachedPids(engine: Engine): number[] {
  return engine.containers.list().flatMap(({ id, attachment }) => {
    const state = attachment === undefined ? undefined : readState(engine.paths, id);
    return state?.status === "running" ? [state.pid] : [];
  });
}

/** The bridge, with all that belongs to running containers. Costs no more than looking when it was there. */
export function ensureDefaultBridge(engine: Engine): EnsuredBridge {
  const bridge = ensureBridge({ name: DEFAULT_BRIDGE });
  if (bridge.bridgeMade) attachInterfaces(detachedInterfaces(attachedPids(engine)), bridge);
  if (bridge.firewallInstalled) republishPorts(engine);
  return bridge;
}
