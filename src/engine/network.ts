/** A container's network: its address, its ports, and the messages that make both. */
import { hostname } from "node:os";
import { BockerError } from "../base/errors.ts";
import { planAttachment } from "../network/bridge/attach.ts";
import { type Bridge, DEFAULT_BRIDGE, ensureBridge } from "../network/bridge/bridge.ts";
import { publishPorts, unpublishPorts } from "../network/bridge/firewall.ts";
import { macOf, nextAddress } from "../network/ipam.ts";
import { AT_FDCWD, NETLINK_NETFILTER, NETLINK_ROUTE, O_CLOEXEC, O_RDONLY } from "../os/constants.ts";
import { close, openat } from "../os/files.ts";
import type { NetlinkRequest } from "../os/netlink/message.ts";
import { setLinkUp } from "../os/netlink/rtnetlink.ts";
import type { Contribution } from "../runtime/plan/compile.ts";
import { NONE, type Operation, type Phase } from "../runtime/plan/operation.ts";
import { SLOT_NETNS } from "../runtime/plan/slots.ts";
import type { ContainerRecord, NetworkAttachment, PublishedPort } from "../spec/container.ts";
import { AddressTable } from "../state/addresses.ts";
import { readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";
import { dropStalePorts, holdPorts, republishPorts } from "./ports.ts";

const ENOENT = 2;

/** What a start needs of the network, and what has to be given back if the start fails. */
export interface NetworkPlan {
  contribution: Contribution;
  /** Descriptors the monitor keeps: a namespace to join, ports that are held. */
  inherited: number[];
  /** Closes this process's copies. */
  close(): void;
}

function message(
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

const NOTHING: Contribution = { host: [], hostAfter: [], container: [], cleanup: [] };

function loopbackOnly(): Contribution {
  const up = setLinkUp({ index: 1, name: "lo" });
  return {
    ...NOTHING,
    container: [
      message(
        "container",
        NETLINK_ROUTE,
        up,
        "bring lo up",
        "programs expect 127.0.0.1, even without a network",
      ),
    ],
  };
}

/** Leases of containers that have ended are free; looked for only when no other address is left. */
function releaseEnded(engine: Engine, addresses: AddressTable): void {
  for (const container of new Set(addresses.leases(DEFAULT_BRIDGE).values()))
    if (readState(engine.paths, container).status !== "running") addresses.release(container);
}

/** The address that the next container gets. Throws "conflict" when all are leased. */
export function nextFreeAddress(addresses: AddressTable, bridge: Bridge): string {
  const last = addresses.last(DEFAULT_BRIDGE);
  return nextAddress(bridge.subnet, {
    gateway: bridge.gateway,
    taken: new Set(addresses.leases(DEFAULT_BRIDGE).keys()),
    ...(last === undefined ? {} : { last }),
  });
}

function leaseAddress(engine: Engine, bridge: Bridge, container: string): string {
  const addresses = new AddressTable(engine.database);
  const choose = () => nextFreeAddress(addresses, bridge);
  return engine.transaction(() => {
    addresses.release(container);
    let address: string;
    try {
      address = choose();
    } catch {
      releaseEnded(engine, addresses);
      address = choose();
    }
    addresses.lease(DEFAULT_BRIDGE, address, container);
    return address;
  });
}

/** "reachable" texts for --explain */
function portList(ports: PublishedPort[]): string {
  return ports
    .map((port) => `${port.hostIp}:${port.hostPort}->${port.containerPort}/${port.protocol}`)
    .join(", ");
}

/** The operations that give a container `ip` on the bridge, and its ports. */
export function bridgeContribution(bridge: Bridge, ip: string, published: PublishedPort[]): Contribution {
  const attachment = planAttachment({ bridge, ip });
  const writes = attachment.hostSysctls.map(
    ({ path, value }): Operation => ({
      op: "write",
      phase: "host-after",
      group: "network",
      what: `write ${value} to ${path}`,
      why: "without an IPv6 network no container may announce itself as a router to the host",
      path,
      data: value,
      tolerate: ENOENT,
    }),
  );
  const ports = published.map((port) => ({ ...port, containerIp: ip }));
  const publish =
    ports.length === 0
      ? []
      : [
          message(
            "host-after",
            NETLINK_NETFILTER,
            publishPorts(ports),
            `publish ${portList(published)}`,
            "one element in a map of bocker's own table sends each port to the container",
          ),
        ];
  const unpublish =
    ports.length === 0
      ? []
      : [
          message(
            "cleanup",
            NETLINK_NETFILTER,
            unpublishPorts(ports),
            `unpublish ${portList(published)}`,
            "the monitor does it: closing the socket makes the kernel wait 8 ms",
            ENOENT,
          ),
        ];
  return {
    host: [],
    hostAfter: [
      message(
        "host-after",
        NETLINK_ROUTE,
        attachment.host,
        `make the pair ${attachment.hostInterface} on ${bridge.name} and eth0 (${attachment.mac}) in the container`,
        "in one message, its far end born in the namespace: moving it there would take 17 ms",
      ),
      ...writes,
      ...publish,
    ],
    container: [
      message(
        "container",
        NETLINK_ROUTE,
        attachment.inside,
        `bring lo and eth0 up with ${ip}/${bridge.subnet.prefixLength}, default route by ${bridge.gateway}`,
        "eth0 last, so that the bridge's carrier is there before the first packet",
      ),
    ],
    cleanup: unpublish,
  };
}

export function attachmentOf(bridge: Bridge, ip: string, published: PublishedPort[]): NetworkAttachment {
  return {
    network: "bridge",
    address: ip,
    prefix: bridge.subnet.prefixLength,
    gateway: bridge.gateway,
    mac: macOf(ip),
    published,
  };
}

function planBridge(engine: Engine, record: ContainerRecord): NetworkPlan {
  const bridge = ensureBridge({ name: DEFAULT_BRIDGE });
  if (bridge.firewallInstalled) republishPorts(engine);
  const ip = leaseAddress(engine, bridge, record.id);
  const held: number[] = [];
  const closeAll = () => {
    for (const fd of held.splice(0)) close(fd);
  };
  try {
    const published = holdPorts(engine, record, ip, held);
    dropStalePorts(published);
    const contribution = bridgeContribution(bridge, ip, published);
    record.attachment = attachmentOf(bridge, ip, published);
    engine.transaction(() => engine.containers.update(record));
    return { contribution, inherited: held, close: closeAll };
  } catch (error) {
    closeAll();
    releaseNetwork(engine, record.id);
    throw error;
  }
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
  return { contribution: NOTHING, inherited: [fd], close: () => close(fd) };
}

/** Decides a container's network and reserves what it takes; `record.attachment` is set where there is one. */
export function planNetwork(engine: Engine, record: ContainerRecord): NetworkPlan {
  const mode = record.host.networkMode;
  if (mode === "bridge") return planBridge(engine, record);
  if (mode.startsWith("container:")) return planShared(engine, record);
  const contribution = mode === "none" ? loopbackOnly() : NOTHING;
  return { contribution, inherited: [], close: () => {} };
}

export function releaseNetwork(engine: Engine, container: string): void {
  new AddressTable(engine.database).release(container);
}

/** Docker's default: on the host's network a container has the host's name. */
export function defaultHostname(networkMode: string): string | undefined {
  return networkMode === "host" ? hostname() : undefined;
}
