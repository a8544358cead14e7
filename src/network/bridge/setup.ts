/**
 * How a bridge network comes to be on the host, as steps: what `ensureBridge` does is what `--explain` prints.
 * Looks at the machine, changes nothing.
 *
 * Every step is harmless when done twice, and the bridge's address comes last, so that a bridge with an
 * address is complete.
 */

import { BockerError } from "../../base/errors.ts";
import { readText } from "../../os/host-files.ts";
import type { NetlinkRequest } from "../../os/netlink/message.ts";
import {
  addAddress,
  createBridge,
  createVeth,
  dumpAddresses,
  dumpRoutes,
  getLink,
  type Link,
  parseAddress,
  parseLink,
  parseRoute,
  setLinkUp,
  setMaster,
} from "../../os/netlink/rtnetlink.ts";
import { NetlinkError, type NetlinkSocket } from "../../os/netlink/socket.ts";
import { chooseSubnet, formatSubnet, gatewayOf, macOf, type Subnet, subnetOf } from "../ipam.ts";
import type { Bridge, BridgeOptions } from "./bridge.ts";
import { installFirewall } from "./firewall.ts";

export const IP_FORWARD = "/proc/sys/net/ipv4/ip_forward";

const ENODEV = 19;
/** Bridges get their index from bocker, as veths do (attach.ts): so it is known before the bridge exists. */
const INDEX_BASE = 0x01000000;
const INDEX_RANGE = 0x3f000000;

interface Reason {
  readonly what: string;
  readonly why: string;
}

/** One thing to do on the host. */
export type BridgeStep = Reason &
  (
    | {
        readonly kind: "netlink";
        readonly family: "route" | "nftables";
        readonly request: NetlinkRequest;
        /** EEXIST: somebody else was faster, and that is as good. */
        readonly mayExist: boolean;
      }
    /** A file below /proc/sys; one that this kernel does not have is skipped. */
    | { readonly kind: "setting"; readonly path: string; readonly value: string }
  );

export interface BridgeSetup {
  /** The bridge as it will be. */
  readonly bridge: Bridge;
  /** In order; none when all is there. */
  readonly steps: readonly BridgeStep[];
}

function send(request: NetlinkRequest, mayExist: boolean, reason: Reason): BridgeStep {
  return { kind: "netlink", family: "route", request, mayExist, ...reason };
}

function setting(path: string, value: string, why: string): BridgeStep {
  return { kind: "setting", path, value, what: `write ${value} to ${path}`, why };
}

/** bocker's networks carry no IPv6: no link-local address, no router advertisement from a container (H3). */
function quietIpv6(name: string): BridgeStep[] {
  const why = "bocker's networks carry no IPv6: nobody may announce a router there";
  return [
    setting(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, "1", why),
    setting(`/proc/sys/net/ipv6/conf/${name}/accept_ra`, "0", why),
  ];
}

/** The two ends of a bridge's keeper; the first is the port. At most 15 bytes, unique for `br-` and 12 hex digits. */
export function keeperNames(bridge: string): [port: string, peer: string] {
  const tail = bridge.slice(-12);
  return [`k0-${tail}`, `k1-${tail}`];
}

/**
 * A port that is always up. An empty bridge loses its carrier, and a container that then dials at once
 * loses its first packet and waits a second (reference/performance.md 2.6). A veth pair, since not every kernel
 * has the dummy driver.
 */
function keeperSteps(master: { index: number; name: string }): BridgeStep[] {
  const [port, peer] = keeperNames(master.name);
  const why = "a bridge without a port that is up loses its carrier, and a container its first packet";
  return [
    send(createVeth({ hostName: port, peerName: peer, peerInNamespace: false }), true, {
      what: `make the pair ${port} and ${peer}`,
      why,
    }),
    ...quietIpv6(port),
    ...quietIpv6(peer),
    send(setMaster({ name: port }, master), false, { what: `make ${port} a port of ${master.name}`, why }),
    send(setLinkUp({ name: peer }), false, { what: `bring ${peer} up`, why }),
  ];
}

function linkSteps(
  found: Link | undefined,
  index: number,
  gateway: string,
  options: BridgeOptions,
): BridgeStep[] {
  const { name, mtu } = options;
  const steps: BridgeStep[] = [];
  // A MAC of its own: a bridge without one takes its lowest port's, and changes it as containers come and go. Its
  // address's: containers remember it, and one that is made anew under them must have the same.
  const mac = macOf(gateway);
  if (found === undefined)
    steps.push(
      send(createBridge(name, { index, mac, ...(mtu !== undefined && { mtu }) }), false, {
        what: `make the bridge ${name} (${mac})`,
        why: "a switch in the kernel that every container's cable is plugged into",
      }),
    );
  else if (!found.up)
    steps.push(
      send(setLinkUp({ name }), false, { what: `bring ${name} up`, why: "a start before was cut short" }),
    );
  return [
    ...steps,
    ...quietIpv6(name),
    setting(
      `/proc/sys/net/ipv4/conf/${name}/route_localnet`,
      "1",
      "published ports reach containers from 127.0.0.1, too; the table's raw chain keeps the other way shut",
    ),
    ...keeperSteps({ index, name }),
  ];
}

function findLink(route: NetlinkSocket, name: string): Link | undefined {
  try {
    const [link] = route.query(getLink({ name }), `look up ${name}`).map(parseLink);
    if (link?.kind !== "bridge")
      throw new BockerError("conflict", `interface ${name} exists and is no bridge`);
    return link;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENODEV) return undefined;
    throw error;
  }
}

/** Throws "conflict" when the bridge has another subnet than the one asked for. */
export function checkSubnet(bridge: { subnet: Subnet }, options: BridgeOptions): void {
  const want = options.subnet;
  if (want === undefined || formatSubnet(want) === formatSubnet(bridge.subnet)) return;
  throw new BockerError(
    "conflict",
    `bridge ${options.name} has subnet ${formatSubnet(bridge.subnet)}, not ${formatSubnet(want)}`,
  );
}

/** The subnet of a bridge without an address: what was asked for, or the first the host does not use. */
function planSubnet(
  route: NetlinkSocket,
  index: number,
  options: BridgeOptions,
): { subnet: Subnet; gateway: string } {
  const addresses = route
    .query(dumpAddresses(), "list addresses")
    .flatMap((message) => parseAddress(message) ?? []);
  // Another process may have been faster.
  const own = addresses.find((address) => address.index === index);
  if (own !== undefined) return { gateway: own.address, subnet: subnetOf(own.address, own.prefixLength) };
  const used = addresses.map(({ address, prefixLength }) => subnetOf(address, prefixLength));
  for (const message of route.query(dumpRoutes(), "list routes")) {
    const found = parseRoute(message);
    // The bridge's own route: the faster process added its address after the dump above.
    if (found === undefined || found.prefixLength === 0 || found.index === index) continue;
    used.push(subnetOf(found.destination, found.prefixLength));
  }
  const subnet =
    options.subnet === undefined ? chooseSubnet(used) : chooseSubnet(used, [formatSubnet(options.subnet)]);
  return { subnet, gateway: options.gateway ?? gatewayOf(subnet) };
}

function forwardingSteps(): BridgeStep[] {
  if (readText(IP_FORWARD).trim() === "1") return [];
  return [setting(IP_FORWARD, "1", "the host routes between its containers and the world")];
}

/**
 * What is missing of a bridge, and how it will be.
 * @param complete the bridge, when it is up and has its address; then only the firewall is missing
 * @throws BockerError "conflict" for another subnet than asked for, or when none is free
 */
export function planBridgeSetup(
  route: NetlinkSocket,
  options: BridgeOptions,
  complete: Bridge | undefined,
): BridgeSetup {
  const { name } = options;
  const link = complete === undefined ? findLink(route, name) : undefined;
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  const index = complete?.index ?? link?.index ?? INDEX_BASE + (random % INDEX_RANGE);
  const { subnet, gateway } = complete ?? planSubnet(route, index, options);
  checkSubnet({ subnet }, options);
  const steps = complete === undefined ? linkSteps(link, index, gateway, options) : [];
  steps.push({
    kind: "netlink",
    family: "nftables",
    request: installFirewall([{ bridge: name, subnet, internal: options.internal === true }]),
    mayExist: false,
    what: "install bocker's own nf_tables table",
    why: "address translation, and who may talk to whom; the rules stay, only their sets change later",
  });
  steps.push(...forwardingSteps());
  if (complete === undefined)
    steps.push(
      send(addAddress({ index, name }, gateway, subnet.prefixLength), true, {
        what: `give ${name} the address ${gateway}/${subnet.prefixLength}`,
        why: "its containers' gateway; last, so that a bridge with an address is complete",
      }),
    );
  return { bridge: { name, index, subnet, gateway }, steps };
}
