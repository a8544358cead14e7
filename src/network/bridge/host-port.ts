/**
 * The host's side of a published port: a socket that holds it. The firewall would take the packets without it, but
 * then a program of the host could listen on the same port and never hear anything. Whoever watches
 * the container inherits the descriptor; the port is free again when that process ends, however it ends.
 */
import { BockerError } from "../../base/errors.ts";
import { parseIpv4 } from "../../base/ipv4.ts";
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM } from "../../os/constants.ts";
import { native } from "../../os/native.ts";
import { dumpElements, parseElements } from "../../os/netlink/nftables.ts";
import { NetlinkError, NetlinkSocket } from "../../os/netlink/socket.ts";
import type { PortRequest, Protocol, PublishedPort } from "../ports.ts";
import { parsePublished } from "./firewall.ts";
import { TABLE } from "./table.ts";

const SOL_SOCKET = 1;
const SHUT_RD = 0;
const SO_REUSEADDR = 2;
const IPPROTO_SCTP = 132;
const EACCES = 13;
const EINVAL = 22;
const EPROTONOSUPPORT = 93;
const EADDRINUSE = 98;
const EADDRNOTAVAIL = 99;

export interface HeldPort {
  /** CLOEXEC. -1 for a protocol this kernel has no sockets of: then nothing is held. */
  readonly fd: number;
  readonly hostPort: number;
}

/**
 * What SO_REUSEADDR was needed for is done: nobody else may have the port with it, either. That is so once a socket has
 * listened, and has the option no more (inet_csk_update_fastreuse, inet_bind_conflict). -errno where another one was faster.
 */
function keepForOneself(fd: number): number {
  const result = native().listen(fd, 0);
  if (result < 0) return result;
  native().shutdown(fd, SHUT_RD);
  return native().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, Uint8Array.of(0, 0, 0, 0));
}

/** struct sockaddr_in. */
export function socketAddress(ip: string, port: number): Uint8Array {
  const address = new Uint8Array(16);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port, false);
  address.set(parseIpv4(ip), 4);
  return address;
}

/**
 * Tries to hold a port (0: any). Returns -errno when it cannot. TCP's socket never listens: a connection whose first packet
 * was on its way when the firewall began to send the port's packets elsewhere would be taken by it, and never answered.
 */
function hold(protocol: Protocol, hostIp: string, port: number): HeldPort | number {
  const type = (protocol === "udp" ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC;
  const fd = native().socket(AF_INET, type, protocol === "sctp" ? IPPROTO_SCTP : 0);
  if (fd < 0) return protocol === "sctp" ? { fd: -1, hostPort: port } : fd;
  const address = socketAddress(hostIp, port);
  let result = native().bind(fd, address);
  if (result === -EADDRINUSE && protocol === "tcp") {
    // Old connections in TIME_WAIT are in nobody's way. Not at once: it would share the port with another
    // container's socket.
    native().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, Uint8Array.of(1, 0, 0, 0));
    result = native().bind(fd, address);
    if (result >= 0) result = keepForOneself(fd);
  }
  if (result >= 0) result = native().getsockname(fd, address);
  if (result < 0) {
    native().close(fd);
    return result;
  }
  return { fd, hostPort: new DataView(address.buffer).getUint16(2, false) };
}

/** Is the port held by a socket of any process? It may be so a moment later. */
export function portInUse(protocol: Protocol, hostIp: string, port: number): boolean {
  const held = hold(protocol, hostIp, port);
  if (typeof held === "number") return held === -EADDRINUSE;
  if (held.fd >= 0) native().close(held.fd);
  return false;
}

/**
 * What a kernel without nf_tables answers: EINVAL while its module is not loaded, EPROTONOSUPPORT without all of netfilter.
 * Containers without a network need neither.
 */
const NO_FIREWALL = new Set([EINVAL, EPROTONOSUPPORT]);

/** What bocker's table publishes now; nothing when there is no table. */
export function listPublished(): PublishedPort[] {
  try {
    using socket = new NetlinkSocket("nftables");
    return ["ports", "ports_any"].flatMap((map) =>
      socket
        .query(dumpElements(TABLE, map), `list the published ports in ${map}`)
        .flatMap(parseElements)
        .flatMap((element) => parsePublished(element) ?? []),
    );
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    if (error.code === "not-found" || NO_FIREWALL.has(error.errno)) return [];
    throw error;
  }
}

/** Does bocker itself publish the port, on this or on every address? */
function publishedByBocker(protocol: Protocol, hostIp: string, port: number): boolean {
  return listPublished().some(
    (other) =>
      other.protocol === protocol &&
      other.hostPort === port &&
      (other.hostIp === hostIp || other.hostIp === "0.0.0.0" || hostIp === "0.0.0.0"),
  );
}

/**
 * Holds a host port for the request: the one asked for, the first free one of a range, or any free one.
 * Throws "conflict" with Docker's words when none is free, "invalid" when the host has no such address.
 */
export function holdHostPort(request: PortRequest, containerIp: string): HeldPort {
  const { protocol, hostIp, hostPortFirst, hostPortLast, containerPort } = request;
  for (let port = hostPortFirst; ; port++) {
    const held = hold(protocol, hostIp, port);
    if (typeof held !== "number") return held;
    if (held === -EADDRINUSE && port < hostPortLast) continue;
    const what = `failed to bind host port for ${hostIp}:${port}:${containerIp}:${containerPort}/${protocol}`;
    if (held === -EADDRNOTAVAIL) throw new BockerError("invalid", `${what}: cannot assign requested address`);
    if (held === -EACCES) throw new BockerError("denied", `${what}: permission denied`);
    if (held !== -EADDRINUSE) throw new BockerError("start-failed", `${what}: errno ${-held}`);
    throw new BockerError(
      "conflict",
      publishedByBocker(protocol, hostIp, port)
        ? `Bind for ${hostIp}:${port} failed: port is already allocated`
        : `${what}: address already in use`,
    );
  }
}
