/** A container's place on the default bridge: its address, its ports, and the messages that make both. */
import { hostInterfaceOf, planAttachment } from "../network/bridge/attach.ts";
import { type Bridge, DEFAULT_BRIDGE } from "../network/bridge/bridge.ts";
import { publishPorts, unpublishPorts } from "../network/bridge/firewall.ts";
import { macOf, nextAddress, numberToAddress, subnetSize } from "../network/ipam.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE } from "../os/constants.ts";
import { close } from "../os/files.ts";
import { InterfaceRequest, SIOCGIFINDEX } from "../os/interface-request.ts";
import { type NetworkOperations, netlinkOperation } from "../runtime/plan/network.ts";
import type { Operation } from "../runtime/plan/operation.ts";
import type { ContainerRecord, NetworkAttachment, PublishedPort } from "../spec/container.ts";
import { AddressTable, releaseAddresses } from "../state/addresses.ts";
import { readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";
import type { NetworkPlan } from "./network.ts";
import { dropStalePorts, holdPorts } from "./ports.ts";
import { ensureDefaultBridge } from "./restore-network.ts";

const ENOENT = 2;

/** Leases of containers that have ended are free; looked for only when no other address is left. */
function releaseEnded(engine: Engine, addresses: AddressTable): void {
  for (const container of new Set(addresses.leases(DEFAULT_BRIDGE).values()))
    if (readState(engine.paths, container).status !== "running") addresses.release(container);
}

/**
 * The address that the next container gets: leased by none of this data root's, nor had by one of another's.
 * @param last the address to begin behind; undefined begins at the first
 * @throws BockerError "conflict" when there is none
 */
function freeAddress(addresses: AddressTable, bridge: Bridge, last: string | undefined): string {
  using request = new InterfaceRequest();
  const taken = new Set(addresses.leases(DEFAULT_BRIDGE).keys());
  for (;;) {
    const { subnet, gateway } = bridge;
    const address = nextAddress(subnet, { gateway, taken, ...(last === undefined ? {} : { last }) });
    if (request.ask(hostInterfaceOf(address), SIOCGIFINDEX) === undefined) return address;
    taken.add(address);
  }
}

/** As freeAddress, behind the one that was leased last, so that an address rests before it is another's. */
export function nextFreeAddress(addresses: AddressTable, bridge: Bridge): string {
  return freeAddress(addresses, bridge, addresses.last(DEFAULT_BRIDGE));
}

function leaseAddress(
  engine: Engine,
  container: string,
  choose: (addresses: AddressTable) => string,
): string {
  const addresses = new AddressTable(engine.database);
  // R10: a lease ends with the boot.
  const passing = true;
  const lease = () => {
    addresses.release(container);
    let address: string;
    try {
      address = choose(addresses);
    } catch {
      releaseEnded(engine, addresses);
      address = choose(addresses);
    }
    addresses.lease(DEFAULT_BRIDGE, address, container);
    return address;
  };
  return engine.transaction(lease, { passing });
}

/** "reachable" texts for --explain */
function portList(ports: PublishedPort[]): string {
  return ports
    .map((port) => `${port.hostIp}:${port.hostPort}->${port.containerPort}/${port.protocol}`)
    .join(", ");
}

/** The operations that give a container `ip` on the bridge, and its ports. */
export function bridgeOperations(bridge: Bridge, ip: string, published: PublishedPort[]): NetworkOperations {
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
          netlinkOperation(
            "host-after",
            NETLINK_NETFILTER,
            publishPorts(ports),
            `publish ${portList(published)}`,
            published.some(({ protocol }) => protocol === "udp")
              ? "one element in a map of bocker's own table sends each port to the container; then the kernel forgets UDP clients that sent elsewhere"
              : "one element in a map of bocker's own table sends each port to the container",
          ),
        ];
  const unpublish =
    ports.length === 0
      ? []
      : [
          netlinkOperation(
            "cleanup",
            NETLINK_NETFILTER,
            unpublishPorts(ports),
            `unpublish ${portList(published)}`,
            "the monitor does it: closing the socket makes the kernel wait 8 ms",
            ENOENT,
          ),
        ];
  return {
    hostAfter: [
      netlinkOperation(
        "host-after",
        NETLINK_ROUTE,
        attachment.host,
        `make the pair ${attachment.hostInterface} on ${bridge.name} and eth0 (${attachment.mac}) in the container`,
        "in one message, its far end born in the namespace: moving it there would take 17 ms",
      ),
      ...writes,
    ],
    container: [
      netlinkOperation(
        "container",
        NETLINK_ROUTE,
        attachment.inside,
        `bring lo and eth0 up with ${ip}/${bridge.subnet.prefixLength}, default route by ${bridge.gateway}`,
        "eth0 last, so that the bridge's carrier is there before the first packet",
      ),
    ],
    hostReady: [
      {
        op: "await_link",
        phase: "host-after",
        group: "network",
        what: `wait until ${attachment.hostInterface} is running`,
        why: "the kernel sees its carrier a little later; what is sent before is lost, and sent again after a second",
        index: attachment.hostIndex,
        commands: [`until ip link show ${attachment.hostInterface} | grep -q LOWER_UP; do sleep 0.01; done`],
      },
      ...publish,
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

/**
 * Another address, after somebody else's container has got this one in the moment between the choice and the start. Far
 * from it: several data roots that begin at the same moment would meet again at the next one.
 */
function readdress(engine: Engine, record: ContainerRecord, bridge: Bridge): NetworkOperations {
  const { subnet } = bridge;
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  const anywhere = numberToAddress(subnet.network + (random % subnetSize(subnet)));
  const ip = leaseAddress(engine, record.id, (addresses) => freeAddress(addresses, bridge, anywhere));
  const published = record.attachment?.published ?? [];
  record.attachment = attachmentOf(bridge, ip, published);
  engine.transaction(() => engine.containers.update(record), { passing: true });
  return bridgeOperations(bridge, ip, published);
}

export function planBridge(engine: Engine, record: ContainerRecord): NetworkPlan {
  const bridge = ensureDefaultBridge(engine);
  const ip = leaseAddress(engine, record.id, (addresses) => nextFreeAddress(addresses, bridge));
  const held: number[] = [];
  const closeAll = () => {
    for (const fd of held.splice(0)) close(fd);
  };
  try {
    const published = holdPorts(engine, record, ip, held);
    dropStalePorts(published);
    const operations = bridgeOperations(bridge, ip, published);
    record.attachment = attachmentOf(bridge, ip, published);
    const plan: NetworkPlan = { operations, joined: [], held, close: closeAll };
    if (published.some(({ protocol }) => protocol === "udp"))
      plan.started = async () => (await import("./forget-clients.ts")).forgetClients(record.attachment!);
    plan.readdress = () => {
      plan.operations = readdress(engine, record, bridge);
    };
    return plan;
  } catch (error) {
    closeAll();
    releaseAddresses(engine.database, record.id);
    throw error;
  }
}
