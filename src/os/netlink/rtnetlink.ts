/**
 * The rtnetlink requests that a bridge network is made of: include/uapi/linux/{rtnetlink,if_link,if_addr}.h.
 * Pure: the launcher or `socket.ts` sends the bytes.
 */

import { BockerError } from "../../base/errors.ts";
import { formatIpv4, parseIpv4 } from "../../base/ipv4.ts";
import {
  MessageBuilder,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  parseAttributes,
  type ReceivedMessage,
  readString,
  readU32,
  requirePayload,
} from "./message.ts";

export const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;

const AF_INET = 2;
export const IFF_UP = 0x1;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_LINK_NETNSID = 37;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_MODE = 4;
const VETH_INFO_PEER = 1;
const NETNSA_NSID = 1;
const NETNSA_PID = 2;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_TABLE = 15;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RT_SCOPE_UNIVERSE = 0;
const RTN_UNICAST = 1;

/** IFNAMSIZ less the NUL. */
const MAX_NAME_BYTES = 15;

/** A link by index (then the name is for `describe` only), or by name where the index is not known. */
export type LinkReference =
  | { readonly index: number; readonly name?: string }
  | { readonly name: string; readonly index?: undefined };

/** What a dump or a query of links tells. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly master?: number;
  readonly mac?: string;
  readonly mtu?: number;
  /** RFC 2863: 6 is up. */
  readonly operstate?: number;
  /** "bridge", "veth", … */
  readonly kind?: string;
  /** Of the namespace that the other end of a veth is in, as this namespace numbers it. */
  readonly peerNamespace?: number;
}

export interface Address {
  readonly index: number;
  readonly address: string;
  readonly prefixLength: number;
}

export interface Route {
  /** Network address; 0.0.0.0 of a default route. */
  readonly destination: string;
  readonly prefixLength: number;
  readonly gateway?: string;
  readonly index?: number;
  readonly table: number;
}

export interface VethOptions {
  readonly hostName: string;
  /** Name of the other end, in the namespace of the patched descriptor. */
  readonly peerName: string;
  /** The bridge the host end joins. */
  readonly master?: { readonly index: number; readonly name?: string };
  readonly hostMac?: string;
  readonly peerMac?: string;
  readonly mtu?: number;
  /**
   * Indexes of both ends. The kernel honours the peer's only when the host end has one too (veth_newlink).
   * EBUSY or EEXIST means that one is taken.
   */
  readonly hostIndex?: number;
  readonly peerIndex?: number;
  /** False: the peer stays in the sender's own namespace and there is nothing to patch. */
  readonly peerInNamespace: boolean;
}

function checkName(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > MAX_NAME_BYTES || name === "." || name === ".." || /[\s/:\0]/.test(name)) {
    throw new BockerError("invalid", `not a network interface name: ${JSON.stringify(name)}`);
  }
  return name;
}

/** "02:42:ac:11:00:02" to 6 bytes. */
function parseMac(text: string): Uint8Array {
  if (!/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(text)) {
    throw new BockerError("invalid", `not a MAC address: ${JSON.stringify(text)}`);
  }
  return Uint8Array.from(text.split(":"), (part) => Number.parseInt(part, 16));
}

function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** struct ifinfomsg. */
function ifinfomsg(index: number, flags: number, change: number): Uint8Array {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return header;
}

function linkHeader(link: LinkReference, up: boolean): Uint8Array {
  return ifinfomsg(link.index ?? 0, up ? IFF_UP : 0, up ? IFF_UP : 0);
}

function linkText(link: LinkReference): string {
  return link.name ?? `"$(ip -o link | awk -F'[: @]+' '$1==${link.index}{print $2}')"`;
}

/** Names the link of a message whose header has no index. With an index it would rename it. */
function nameIfNeeded(builder: MessageBuilder, link: LinkReference): void {
  if (link.index === undefined) builder.string(IFLA_IFNAME, checkName(link.name));
}

/** A bridge, up from the start; its MAC given so that it does not change with its ports. */
export function createBridge(
  name: string,
  options: { index?: number; mac?: string; mtu?: number } = {},
): NetlinkRequest {
  const builder = new MessageBuilder();
  const header = ifinfomsg(options.index ?? 0, IFF_UP, IFF_UP);
  builder.message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, header);
  builder.string(IFLA_IFNAME, checkName(name));
  if (options.mac !== undefined) builder.attribute(IFLA_ADDRESS, parseMac(options.mac));
  if (options.mtu !== undefined) builder.u32(IFLA_MTU, options.mtu);
  builder.nest(IFLA_LINKINFO, () => builder.string(IFLA_INFO_KIND, "bridge"));
  const index = options.index === undefined ? "" : ` index ${options.index}`;
  const mac = options.mac === undefined ? "" : ` address ${options.mac}`;
  const mtu = options.mtu === undefined ? "" : ` mtu ${options.mtu}`;
  return {
    bytes: builder.finish(),
    acks: 1,
    describe: [`ip link add name ${name}${index}${mac}${mtu} up type bridge`],
  };
}

/**
 * A veth pair in one message: peer born in its namespace, host end in the bridge and up.
 * The peer is not asked to be up: it would be opened before the pair is linked, ENOTCONN.
 * Moving a peer later costs 17 ms where this costs 0.6 (reference/performance.md 2.6).
 */
export function createVeth(options: VethOptions): NetlinkRequest {
  const builder = new MessageBuilder();
  const flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
  builder.message(RTM_NEWLINK, flags, ifinfomsg(options.hostIndex ?? 0, IFF_UP, IFF_UP));
  builder.string(IFLA_IFNAME, checkName(options.hostName));
  if (options.hostMac !== undefined) builder.attribute(IFLA_ADDRESS, parseMac(options.hostMac));
  if (options.mtu !== undefined) builder.u32(IFLA_MTU, options.mtu);
  if (options.master !== undefined) builder.u32(IFLA_MASTER, options.master.index);
  let fdOffset: number | undefined;
  builder.nest(IFLA_LINKINFO, () => {
    builder.string(IFLA_INFO_KIND, "veth");
    builder.nest(IFLA_INFO_DATA, () =>
      builder.nest(VETH_INFO_PEER, () => {
        builder.raw(ifinfomsg(options.peerIndex ?? 0, 0, 0));
        builder.string(IFLA_IFNAME, checkName(options.peerName));
        if (options.peerMac !== undefined) builder.attribute(IFLA_ADDRESS, parseMac(options.peerMac));
        if (options.mtu !== undefined) builder.u32(IFLA_MTU, options.mtu);
        if (options.peerInNamespace) {
          fdOffset = builder.offset + 4;
          builder.u32(IFLA_NET_NS_FD, 0xffffffff);
        }
      }),
    );
  });
  const request = { bytes: builder.finish(), acks: 1, describe: [describeVeth(options)] };
  return fdOffset === undefined ? request : { ...request, fdOffset };
}

function describeVeth(options: VethOptions): string {
  const words = ["ip link add name", options.hostName, "up"];
  if (options.hostIndex !== undefined) words.push(`index ${options.hostIndex}`);
  if (options.hostMac !== undefined) words.push(`address ${options.hostMac}`);
  if (options.mtu !== undefined) words.push(`mtu ${options.mtu}`);
  if (options.master !== undefined) words.push(`master ${linkText(options.master)}`);
  words.push(`type veth peer name ${options.peerName}`);
  if (options.peerIndex !== undefined && options.hostIndex !== undefined)
    words.push(`index ${options.peerIndex}`);
  if (options.peerMac !== undefined) words.push(`address ${options.peerMac}`);
  if (options.peerInNamespace) words.push('netns "$NETNS_PID"');
  return words.join(" ");
}

/** A bridge port may send a frame back where it came from: a container that dials its own published port. */
export function setHairpin(link: LinkReference): NetlinkRequest {
  const builder = new MessageBuilder();
  builder.message(RTM_NEWLINK, NLM_F_ACK, linkHeader(link, false));
  nameIfNeeded(builder, link);
  builder.nest(IFLA_LINKINFO, () => {
    builder.string(IFLA_INFO_SLAVE_KIND, "bridge");
    builder.nest(IFLA_INFO_SLAVE_DATA, () => builder.u8(IFLA_BRPORT_MODE, 1));
  });
  return {
    bytes: builder.finish(),
    acks: 1,
    describe: [`ip link set dev ${linkText(link)} type bridge_slave hairpin on`],
  };
}

export function setLinkUp(link: LinkReference): NetlinkRequest {
  const builder = new MessageBuilder();
  builder.message(RTM_NEWLINK, NLM_F_ACK, linkHeader(link, true));
  nameIfNeeded(builder, link);
  return { bytes: builder.finish(), acks: 1, describe: [`ip link set dev ${linkText(link)} up`] };
}

export function setMaster(
  link: LinkReference,
  master: { readonly index: number; readonly name?: string },
): NetlinkRequest {
  const builder = new MessageBuilder();
  builder.message(RTM_NEWLINK, NLM_F_ACK, linkHeader(link, false));
  nameIfNeeded(builder, link);
  builder.u32(IFLA_MASTER, master.index);
  return {
    bytes: builder.finish(),
    acks: 1,
    describe: [`ip link set dev ${linkText(link)} master ${linkText(master)}`],
  };
}

export function addAddress(
  link: { readonly index: number; readonly name?: string },
  address: string,
  prefixLength: number,
): NetlinkRequest {
  const header = new Uint8Array(8);
  header[0] = AF_INET;
  header[1] = prefixLength;
  new DataView(header.buffer).setUint32(4, link.index, true);
  const bytes = parseIpv4(address);
  const builder = new MessageBuilder();
  builder.message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, header);
  builder.attribute(IFA_LOCAL, bytes).attribute(IFA_ADDRESS, bytes);
  return {
    bytes: builder.finish(),
    acks: 1,
    describe: [`ip address add ${address}/${prefixLength} dev ${linkText(link)}`],
  };
}

/** The kernel finds the interface from the gateway's own route. */
export function addDefaultRoute(gateway: string): NetlinkRequest {
  const header = new Uint8Array(12);
  header[0] = AF_INET;
  header[4] = RT_TABLE_MAIN;
  header[5] = RTPROT_BOOT;
  header[6] = RT_SCOPE_UNIVERSE;
  header[7] = RTN_UNICAST;
  const builder = new MessageBuilder();
  builder.message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, header);
  builder.attribute(RTA_GATEWAY, parseIpv4(gateway));
  return { bytes: builder.finish(), acks: 1, describe: [`ip route add default via ${gateway}`] };
}

/** Answered by one RTM_NEWLINK; ENODEV when there is none. */
export function getLink(link: LinkReference): Uint8Array {
  const builder = new MessageBuilder();
  builder.message(RTM_GETLINK, 0, linkHeader(link, false));
  nameIfNeeded(builder, link);
  return builder.finish();
}

export function dumpLinks(): Uint8Array {
  return new MessageBuilder().message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg(0, 0, 0)).finish();
}

export function dumpAddresses(): Uint8Array {
  const header = new Uint8Array(8);
  header[0] = AF_INET;
  return new MessageBuilder().message(RTM_GETADDR, NLM_F_DUMP, header).finish();
}

export function dumpRoutes(): Uint8Array {
  const header = new Uint8Array(12);
  header[0] = AF_INET;
  return new MessageBuilder().message(RTM_GETROUTE, NLM_F_DUMP, header).finish();
}

/** A link, or undefined for a message of another type. */
export function parseLink(message: ReceivedMessage): Link | undefined {
  if (message.type !== RTM_NEWLINK) return undefined;
  requirePayload(message, 16);
  const view = new DataView(message.payload.buffer, message.payload.byteOffset, message.payload.byteLength);
  const attributes = parseAttributes(message.payload.subarray(16));
  const master = readU32(attributes.get(IFLA_MASTER));
  const mac = attributes.get(IFLA_ADDRESS);
  const mtu = readU32(attributes.get(IFLA_MTU));
  const operstate = attributes.get(IFLA_OPERSTATE)?.[0];
  const peerNamespace = readU32(attributes.get(IFLA_LINK_NETNSID));
  const info = attributes.get(IFLA_LINKINFO);
  const kind = info === undefined ? undefined : readString(parseAttributes(info).get(IFLA_INFO_KIND));
  return {
    index: view.getInt32(4, true),
    name: readString(attributes.get(IFLA_IFNAME)) ?? "",
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    ...(master !== undefined && { master }),
    ...(mac !== undefined && { mac: formatMac(mac) }),
    ...(mtu !== undefined && { mtu }),
    ...(operstate !== undefined && { operstate }),
    ...(kind !== undefined && { kind }),
    ...(peerNamespace !== undefined && { peerNamespace }),
  };
}

/** The number that this namespace has for a process's; answered by one message (parseNamespace). */
export function getNamespace(pid: number): Uint8Array {
  // struct rtgenmsg, padded.
  return new MessageBuilder().message(RTM_GETNSID, 0, new Uint8Array(4)).u32(NETNSA_PID, pid).finish();
}

export function parseNamespace(message: ReceivedMessage): number | undefined {
  if (message.type !== RTM_NEWNSID) return undefined;
  return readU32(parseAttributes(message.payload.subarray(4)).get(NETNSA_NSID));
}

export function parseAddress(message: ReceivedMessage): Address | undefined {
  if (message.type !== RTM_NEWADDR || message.payload[0] !== AF_INET) return undefined;
  const attributes = parseAttributes(message.payload.subarray(8));
  const address = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  const index = readU32(message.payload.subarray(4));
  if (address === undefined || index === undefined) return undefined;
  return { index, address: formatIpv4(address), prefixLength: message.payload[1] ?? 0 };
}

/** An IPv4 unicast route; undefined for local, broadcast and other kinds. */
export function parseRoute(message: ReceivedMessage): Route | undefined {
  if (message.type !== RTM_NEWROUTE || message.payload[0] !== AF_INET) return undefined;
  if (message.payload[7] !== RTN_UNICAST) return undefined;
  const attributes = parseAttributes(message.payload.subarray(12));
  const destination = attributes.get(RTA_DST);
  const gateway = attributes.get(RTA_GATEWAY);
  const index = readU32(attributes.get(RTA_OIF));
  return {
    destination: destination === undefined ? "0.0.0.0" : formatIpv4(destination),
    prefixLength: message.payload[1] ?? 0,
    table: readU32(attributes.get(RTA_TABLE)) ?? message.payload[4] ?? 0,
    ...(gateway !== undefined && { gateway: formatIpv4(gateway) }),
    ...(index !== undefined && { index }),
  };
}
