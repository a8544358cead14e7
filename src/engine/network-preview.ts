/** A container's network as a start now would make it, with nothing made, leased or held. */
import { DEFAULT_BRIDGE, previewBridge } from "../network/bridge/bridge.ts";
import type { BridgeStep } from "../network/bridge/setup.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE } from "../os/constants.ts";
import { close } from "../os/files.ts";
import type { Step } from "../runtime/plan/step.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { AddressTable } from "../state/addresses.ts";
import type { Engine } from "./engine.ts";
import {
  attachmentOf,
  bridgeContribution,
  type NetworkPlan,
  nextFreeAddress,
  planNetwork,
} from "./network.ts";
import { holdPorts } from "./ports.ts";

export interface NetworkPreview {
  network: NetworkPlan;
  /** What the engine does on the host first, where something is missing there. */
  steps: Step[];
}

function stepOf(step: BridgeStep): Step {
  const { what, why } = step;
  if (step.kind === "setting")
    return { step: "setting", group: "network", what, why, path: step.path, value: step.value };
  return {
    step: "netlink",
    group: "network",
    what,
    why,
    protocol: step.family === "route" ? NETLINK_ROUTE : NETLINK_NETFILTER,
    acks: step.request.acks,
    message: step.request.bytes,
    commands: [...step.request.describe],
  };
}

/**
 * The network of a container that would be started now; `record.attachment` is set where there is one.
 * Ports are tried and let go again, so that a port in use fails here as it would there.
 */
export function previewNetwork(engine: Engine, record: ContainerRecord): NetworkPreview {
  if (record.host.networkMode !== "bridge") return { network: planNetwork(engine, record), steps: [] };
  const { bridge, steps } = previewBridge({ name: DEFAULT_BRIDGE });
  const ip = nextFreeAddress(new AddressTable(engine.database), bridge);
  const inherited: number[] = [];
  const closeAll = () => {
    for (const fd of inherited) close(fd);
  };
  try {
    const published = holdPorts(engine, record, ip, inherited);
    const contribution = bridgeContribution(bridge, ip, published);
    record.attachment = attachmentOf(bridge, ip, published);
    return { network: { contribution, inherited, close: closeAll }, steps: steps.map(stepOf) };
  } catch (error) {
    closeAll();
    throw error;
  }
}
