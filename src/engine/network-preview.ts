/** A container's network as a start now would make it, with nothing made, leased or held. */
import { DEFAULT_BRIDGE, previewBridge } from "../network/bridge/bridge.ts";
import type { BridgeStep } from "../network/bridge/setup.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE } from "../os/constants.ts";
import { close } from "../os/files.ts";
import type { Step } from "../runtime/plan/step.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { AddressTable } from "../state/addresses.ts";
import { attachmentOf, bridgeOperations, nextFreeAddress } from "./bridge-network.ts";
import type { Engine } from "./engine.ts";
import { type NetworkPlan, planNetwork } from "./network.ts";
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
export async function previewNetwork(engine: Engine, record: ContainerRecord): Promise<NetworkPreview> {
  if (record.host.networkMode !== "bridge") return { network: await planNetwork(engine, record), steps: [] };
  const { bridge, steps } = previewBridge({ name: DEFAULT_BRIDGE });
  const ip = nextFreeAddress(new AddressTable(engine.database), bridge);
  const held: number[] = [];
  const closeAll = () => {
    for (const fd of held) close(fd);
  };
  try {
    const published = holdPorts(engine, record, ip, held);
    const operations = bridgeOperations(bridge, ip, published);
    record.attachment = attachmentOf(bridge, ip, published);
    return { network: { operations, joined: [], held, close: closeAll }, steps: steps.map(stepOf) };
  } catch (error) {
    closeAll();
    throw error;
  }
}
