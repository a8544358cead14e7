/** A container's network: none, the host's, another container's, or the bridge (bridge-network.ts). */
import { BockerError } from "../base/errors.ts";
import { AT_FDCWD, NETLINK_ROUTE, O_CLOEXEC, O_RDONLY } from "../os/constants.ts";
import { close, openat } from "../os/files.ts";
import { loopbackUp } from "../os/netlink/loopback.ts";
import { type NetworkOperations, netlinkOperation } from "../runtime/plan/network.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";

/** What a start needs of the network, and what has to be given back if the start fails. */
export interface NetworkPlan {
  operations: NetworkOperations;
  /** A namespace to join: the launcher needs it before the container's process exists. */
  joined: number[];
  /** Sockets that hold published ports, which the monitor keeps. */
  held: number[];
  /** Other operations for another address, after AddressTaken; absent where there is no address. */
  readdress?: () => void;
  /** To be done once the program runs; absent where there is nothing. */
  started?: () => Promise<void>;
  /** Closes this process's copies. */
  close(): void;
}

const NOTHING: NetworkOperations = { hostAfter: [], container: [], hostReady: [], cleanup: [] };

function loopbackOnly(): NetworkOperations {
  return {
    ...NOTHING,
    container: [
      netlinkOperation(
        "container",
        NETLINK_ROUTE,
        loopbackUp(),
        "bring lo up",
        "programs expect 127.0.0.1, even without a network",
      ),
    ],
  };
}

/** The container whose network is shared. Throws "not-found" or "not-running". */
export function networkOwner(
  engine: Engine,
  record: ContainerRecord,
): { owner: ContainerRecord; pid: number } {
  const owner = engine.containers.find(record.host.networkMode.slice("container:".length));
  const state = readState(engine.paths, owner.id);
  if (state.status !== "running")
    throw new BockerError("not-running", `cannot join network of a non running container: ${owner.id}`);
  return { owner, pid: state.pid };
}

function planShared(engine: Engine, record: ContainerRecord): NetworkPlan {
  const { pid } = networkOwner(engine, record);
  const fd = openat(AT_FDCWD, `/proc/${pid}/ns/net`, O_RDONLY | O_CLOEXEC);
  return { operations: NOTHING, joined: [fd], held: [], close: () => close(fd) };
}

/** Decides a container's network and reserves what it takes; `record.attachment` is set where there is one. */
export async function planNetwork(engine: Engine, record: ContainerRecord): Promise<NetworkPlan> {
  const mode = record.host.networkMode;
  if (mode === "bridge") {
    const { planBridge } = await import("./bridge-network.ts");
    return planBridge(engine, record);
  }
  if (mode.startsWith("container:")) return planShared(engine, record);
  const operations = mode === "none" ? loopbackOnly() : NOTHING;
  return { operations, joined: [], held: [], close: () => {} };
}
