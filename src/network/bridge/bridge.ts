/**
 * The host's side of a bridge network: the bridge itself, its carrier, its sysctls and its firewall.
 *
 * Everything here may run in several processes at once and may have been cut short before: each step is
 * harmless when done twice, and the bridge's address comes last, so that a bridge with an address is complete.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { BockerError } from "../../base/errors.ts";
import { formatIpv4 } from "../../base/ipv4.ts";
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from "../../os/constants.ts";
import { native } from "../../os/native.ts";
import type { NetlinkRequest } from "../../os/netlink/message.ts";
import { getChain } from "../../os/netlink/nftables.ts";
import {
  addAddress,
  createBridge,
  createVeth,
  dumpAddresses,
  dumpRoutes,
  getLink,
  IFF_UP,
  type Link,
  parseAddress,
  parseLink,
  parseRoute,
  setLinkUp,
  setMaster,
} from "../../os/netlink/rtnetlink.ts";
import { NetlinkError, NetlinkSocket } from "../../os/netlink/socket.ts";
import { chooseSubnet, formatSubnet, gatewayOf, macOf, type Subnet, subnetOf } from "../ipam.ts";
import { type BridgeMembership, installFirewall } from "./firewall.ts";
import { REVISION_CHAIN, TABLE } from "./table.ts";

/** The bridge of containers that ask for no network. */
export const DEFAULT_BRIDGE = "bocker0";

const SIOCGIFFLAGS = 0x8913;
const SIOCGIFADDR = 0x8915;
const SIOCGIFNETMASK = 0x891b;
const SIOCGIFINDEX = 0x8933;
/** sizeof(struct ifreq); the union starts after the 16 bytes of the name. */
const IFREQ_BYTES = 40;
const ENOENT = 2;
const EEXIST = 17;

export interface BridgeOptions {
  readonly name: string;
  /** The network's own, or chosen from `SUBNET_CANDIDATES`. */
  readonly subnet?: Subnet;
  readonly gateway?: string;
  /** No way out of the host. */
  readonly internal?: boolean;
  readonly mtu?: number;
}

export interface Bridge {
  readonly name: string;
  readonly index: number;
  readonly subnet: Subnet;
  /** The bridge's own address. */
  readonly gateway: string;
}

/** What `ensureBridge` found or did, for the event log and for `--explain`. */
export interface EnsuredBridge extends Bridge {
  /**
   * The table was missing or older and is new now. If it was missing (someone flushed the ruleset), running
   * containers' ports are no longer published: publish them again.
   */
  readonly firewallInstalled: boolean;
  /** net.ipv4.ip_forward was 0 and is 1 now. */
  readonly forwardingEnabled: boolean;
}

/** What four ioctls tell about an interface; undefined when there is none, or it has no address or is down. */
function probe(name: string): Bridge | undefined {
  const fd = native().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new BockerError("platform", "cannot open a socket to look at network interfaces");
  try {
    const request = new Uint8Array(IFREQ_BYTES);
    const view = new DataView(request.buffer);
    const ask = (code: number): boolean => {
      request.fill(0);
      request.set(new TextEncoder().encode(name).subarray(0, 15));
      return native().ioctlBuffer(fd, code, request) >= 0;
    };
    if (!ask(SIOCGIFFLAGS) || (view.getInt16(16, true) & IFF_UP) === 0) return undefined;
    if (!ask(SIOCGIFINDEX)) return undefined;
    const index = view.getInt32(16, true);
    // struct sockaddr_in: family, port, address.
    if (!ask(SIOCGIFADDR)) return undefined;
    const gateway = formatIpv4(request.slice(20, 24));
    if (!ask(SIOCGIFNETMASK)) return undefined;
    const prefixLength = Math.clz32(~view.getUint32(20, false));
    return { name, index, gateway, subnet: subnetOf(gateway, prefixLength) };
  } finally {
    native().close(fd);
  }
}

/** Is the table there, of this revision? One request. */
function firewallPresent(socket: NetlinkSocket): boolean {
  try {
    socket.query(getChain(TABLE, REVISION_CHAIN), "look for bocker's nf_tables table");
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENOENT) return false;
    throw error;
  }
}

function unlessExists(socket: NetlinkSocket, request: NetlinkRequest): void {
  try {
    socket.request(request);
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== EEXIST) throw error;
  }
}

/**
 * Makes sure that the bridge, its table and its sysctls are there. When they are, it costs five ioctls and one
 * request. Throws "conflict" when the bridge has another subnet than asked for or no subnet is free,
 * "denied" without CAP_NET_ADMIN.
 */
export function ensureBridge(options: BridgeOptions): EnsuredBridge {
  const found = probe(options.name);
  using nftables = new NetlinkSocket("nftables");
  const hasFirewall = firewallPresent(nftables);
  if (found !== undefined && hasFirewall) {
    checkSubnet(found, options);
    return { ...found, firewallInstalled: false, forwardingEnabled: false };
  }
  using route = new NetlinkSocket("route");
  const link = found ?? { index: createLink(route, options) };
  const planned = found ?? planSubnet(route, link.index, options);
  checkSubnet(planned, options);
  const membership: BridgeMembership = {
    bridge: options.name,
    subnet: planned.subnet,
    internal: options.internal === true,
  };
  nftables.request(installFirewall([membership]));
  const forwardingEnabled = enableForwarding();
  const { gateway, subnet } = planned;
  if (found === undefined)
    unlessExists(route, addAddress({ index: link.index, name: options.name }, gateway, subnet.prefixLength));
  return {
    name: options.name,
    index: link.index,
    subnet,
    gateway,
    firewallInstalled: !hasFirewall,
    forwardingEnabled,
  };
}

function checkSubnet(bridge: { subnet: Subnet }, options: BridgeOptions): void {
  const want = options.subnet;
  if (want === undefined || formatSubnet(want) === formatSubnet(bridge.subnet)) return;
  throw new BockerError(
    "conflict",
    `bridge ${options.name} has subnet ${formatSubnet(bridge.subnet)}, not ${formatSubnet(want)}`,
  );
}

function linkOf(route: NetlinkSocket, name: string): Link {
  const link = route.query(getLink({ name }), `look up ${name}`).map(parseLink)[0];
  if (link === undefined) throw new BockerError("internal", `no answer about interface ${name}`);
  return link;
}

/** The bridge with its keeper port and sysctls, without an address. Returns its index. */
function createLink(route: NetlinkSocket, options: BridgeOptions): number {
  const { name, mtu } = options;
  // A MAC of its own: a bridge without one takes its lowest port's, and changes it as containers come and go.
  const mac = macOf(Array.from(crypto.getRandomValues(new Uint8Array(4))).join("."));
  unlessExists(route, createBridge(name, { mac, ...(mtu !== undefined && { mtu }) }));
  const bridge = linkOf(route, name);
  if (bridge.kind !== "bridge")
    throw new BockerError("conflict", `interface ${name} exists and is no bridge`);
  if (!bridge.up) route.request(setLinkUp(bridge));
  quietIpv6(name);
  // Published ports reach containers from 127.0.0.1, too; the table's raw chain keeps the other way shut.
  writeSysctl(`net/ipv4/conf/${name}/route_localnet`, "1");
  addKeeper(route, bridge);
  return bridge.index;
}

/**
 * A port that is always up. An empty bridge loses its carrier, and a container that then dials at once
 * loses its first packet and waits a second (reference/performance.md 2.6). A veth pair, since not every kernel
 * has the dummy driver.
 */
function addKeeper(route: NetlinkSocket, master: Link): void {
  const [port, peer] = keeperNames(master.name);
  unlessExists(route, createVeth({ hostName: port, peerName: peer, peerInNamespace: false }));
  quietIpv6(port);
  quietIpv6(peer);
  const keeper = linkOf(route, port);
  if (keeper.master !== master.index) route.request(setMaster(keeper, master));
  route.request(setLinkUp({ name: peer }));
}

/** The two ends of a bridge's keeper; the first is the port. At most 15 bytes, unique for `br-` and 12 hex digits. */
export function keeperNames(bridge: string): [port: string, peer: string] {
  const tail = bridge.slice(-12);
  return [`k0-${tail}`, `k1-${tail}`];
}

/** bocker's networks carry no IPv6: no link-local address, no router advertisement from a container (H3). */
function quietIpv6(name: string): void {
  writeSysctl(`net/ipv6/conf/${name}/disable_ipv6`, "1");
  writeSysctl(`net/ipv6/conf/${name}/accept_ra`, "0");
}

/** Writes below /proc/sys; a setting this kernel does not have is skipped. */
function writeSysctl(path: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/${path}`, value);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
      throw new BockerError("denied", `cannot set ${path.replaceAll("/", ".")} to ${value}`, { cause });
    }
  }
}

function enableForwarding(): boolean {
  if (readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() === "1") return false;
  writeSysctl("net/ipv4/ip_forward", "1");
  return true;
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
