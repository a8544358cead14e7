/**
 * How a container joins a bridge: two netlink requests, both made here and sent by the launcher. The first from the
 * host's namespace, with the number of the container's network namespace descriptor patched in; the second from
 * inside. Pure, but for random indexes.
 */
import { joinRequests, type NetlinkRequest } from "../../os/netlink/message.ts";
import {
  addAddress,
  addDefaultRoute,
  createVeth,
  setHairpin,
  setLinkUp,
} from "../../os/netlink/rtnetlink.ts";
import { addressToNumber, macOf } from "../ipam.ts";
import type { Bridge } from "./bridge.ts";

/** A file below /proc/sys and what to write into it. */
export interface Sysctl {
  readonly path: string;
  readonly value: string;
}

export interface Attachment {
  /** The host end: hostInterfaceOf its address. */
  readonly hostInterface: string;
  readonly hostIndex: number;
  readonly containerInterface: string;
  readonly ip: string;
  readonly mac: string;
  /** Host namespace: the pair, its host end a port of the bridge and up; `fdOffset` is always set. */
  readonly host: NetlinkRequest;
  /** Host namespace, after `host`. */
  readonly hostSysctls: readonly Sysctl[];
  /** Container namespace, before `inside`: no IPv6 addresses where there is no IPv6 network. */
  readonly insideSysctls: readonly Sysctl[];
  /** Container namespace: lo up, address, interface up last, default route. */
  readonly inside: NetlinkRequest;
}

export interface AttachOptions {
  readonly bridge: Bridge;
  readonly ip: string;
  /** Derived from the address when absent. */
  readonly mac?: string;
  /** 0 for the container's first network: eth0. */
  readonly number?: number;
  /** False for all but one network, and for internal networks. */
  readonly defaultRoute?: boolean;
  readonly mtu?: number;
}

/**
 * The container's interfaces have indexes known in advance, so that the address can be set without looking
 * one up. Beyond those of the tunnels (tunl0, sit0, …) that some kernels put in every new namespace.
 */
const FIRST_CONTAINER_INDEX = 100;
const LOOPBACK_INDEX = 1;
/** Names of host ends. */
export const HOST_INTERFACE = /^veth[0-9a-f]{7}$/;
/** Host indexes are drawn from 2^24 … 2^30: far above those the kernel hands out, rarely equal. */
const HOST_INDEX_BASE = 0x01000000;
const HOST_INDEX_RANGE = 0x3f000000;

/**
 * The host end of the container with this address. The kernel has a name once in a network namespace: so an address
 * is one container's, whichever data root it is of, though each has leases of its own.
 */
export function hostInterfaceOf(ip: string): string {
  // 28 bits of an address tell all addresses of private networks apart.
  return `veth${(addressToNumber(ip) & 0xfffffff).toString(16).padStart(7, "0")}`;
}

export function planAttachment(options: AttachOptions): Attachment {
  const { bridge, ip, number = 0, mtu } = options;
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  const hostInterface = hostInterfaceOf(ip);
  const hostIndex = HOST_INDEX_BASE + (random % HOST_INDEX_RANGE);
  const containerInterface = `eth${number}`;
  const link = { index: FIRST_CONTAINER_INDEX + number, name: containerInterface };
  const mac = options.mac ?? macOf(ip);
  const veth = createVeth({
    hostName: hostInterface,
    hostIndex,
    peerName: containerInterface,
    peerIndex: link.index,
    peerMac: mac,
    master: bridge,
    peerInNamespace: true,
    ...(mtu !== undefined && { mtu }),
  });
  const inside = [
    ...(number === 0 ? [setLinkUp({ index: LOOPBACK_INDEX, name: "lo" })] : []),
    addAddress(link, ip, bridge.subnet.prefixLength),
    setLinkUp(link),
    ...(options.defaultRoute === false ? [] : [addDefaultRoute(bridge.gateway)]),
  ];
  return {
    hostInterface,
    hostIndex,
    containerInterface,
    ip,
    mac,
    host: joinRequests([veth, setHairpin({ index: hostIndex, name: hostInterface })]),
    hostSysctls: [
      { path: `/proc/sys/net/ipv6/conf/${hostInterface}/disable_ipv6`, value: "1" },
      { path: `/proc/sys/net/ipv6/conf/${hostInterface}/accept_ra`, value: "0" },
    ],
    insideSysctls: ["all", "default"].map((name) => ({
      path: `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`,
      value: "1",
    })),
    inside: joinRequests(inside),
  };
}
