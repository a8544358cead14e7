/** The network's share of a plan. */
import type { NetlinkRequest } from "../../os/netlink/message.ts";
import { NONE, type Operation, type Phase } from "./operation.ts";
import { SLOT_NETNS } from "./slots.ts";

/** What the network adds to a start, each in its phase and in order. */
export interface NetworkOperations {
  hostAfter: Operation[];
  container: Operation[];
  /** By the monitor, once the container's interfaces are up: what waits until packets get there, and leads them. */
  hostReady: Operation[];
  cleanup: Operation[];
}

/** A netlink message as an operation. @param tolerate this errno counts as success */
export function netlinkOperation(
  phase: Phase,
  protocol: number,
  request: NetlinkRequest,
  what: string,
  why: string,
  tolerate?: number,
): Operation {
  return {
    op: "netlink",
    phase,
    group: "network",
    what,
    why,
    protocol,
    patch: request.fdOffset ?? NONE,
    slot: SLOT_NETNS,
    acks: request.acks,
    message: request.bytes,
    commands: [...request.describe],
    ...(tolerate === undefined ? {} : { tolerate }),
  };
}

/**
 * A network that the monitor makes while the container's process mounts its filesystems: they meet before it is used, and
 * once more when the container's end is up, since only then the host's end gets ready.
 */
export function meetingOperations(network: NetworkOperations): NetworkOperations {
  const { hostAfter, container, hostReady, cleanup } = network;
  if (hostAfter.length === 0) return network;
  return {
    hostAfter: [holdNetwork(), ...hostAfter, signalContainer("its network is there", "it mounts meanwhile")],
    container: [
      awaitMonitor("the network", "the host's side was set up at the same time"),
      ...container,
      signalMonitor(),
      awaitMonitor("the host's side", "the program may speak at once, and expect to be reached"),
    ],
    hostReady: [awaitContainer(), ...hostReady, signalContainer("it can be reached", "it waits for that")],
    cleanup,
  };
}

function holdNetwork(): Operation {
  return {
    op: "open_ns",
    phase: "host-after",
    group: "network",
    what: "open the container's network namespace",
    why: "the veth's other end is born in it",
    slot: SLOT_NETNS,
    name: "net",
  };
}

function signalContainer(what: string, why: string): Operation {
  return {
    op: "signal",
    phase: "host-after",
    group: "network",
    what: `tell the container that ${what}`,
    why,
  };
}

function awaitMonitor(what: string, why: string): Operation {
  return { op: "wait", phase: "container", group: "network", what: `wait for ${what}`, why };
}

function signalMonitor(): Operation {
  return {
    op: "signal",
    phase: "container",
    group: "network",
    what: "tell the monitor that the interfaces are up",
    why: "a packet that came before would be asked for again only after a second",
  };
}

function awaitContainer(): Operation {
  return {
    op: "wait",
    phase: "host-after",
    group: "network",
    what: "wait until the container's interfaces are up",
    why: "before they are, nobody answers for its address",
  };
}
