/**
 * UDP clients that sent to a port before it was this container's. What the kernel remembers of each decides where its
 * datagrams go, for as long as it goes on sending: to nobody, or to a container that had the port before. As in Docker,
 * that is forgotten when the port is published.
 */
import { socketAddress } from "../network/bridge/host-port.ts";
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from "../os/constants.ts";
import { close } from "../os/files.ts";
import {
  deleteConnection,
  dumpConnections,
  parseConnection,
  type TrackedConnection,
} from "../os/netlink/conntrack.ts";
import { NetlinkError, NetlinkSocket } from "../os/netlink/socket.ts";
import { bind, socket } from "../os/sockets.ts";
import { isSystemError, SystemError } from "../os/system-error.ts";
import type { NetworkAttachment } from "../spec/container.ts";

const IPPROTO_UDP = 17;

/** Whether it is an address of this machine: others' datagrams only pass here, and keep their way. */
function isLocal(address: string): boolean {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC);
  try {
    bind(fd, socketAddress(address, 0));
    return true;
  } catch (error) {
    if (isSystemError(error, "EADDRNOTAVAIL")) return false;
    throw error;
  } finally {
    close(fd);
  }
}

/** Whether its datagrams are for one of the container's ports, and go elsewhere. */
function isAstray({ protocol, ...connection }: TrackedConnection, attachment: NetworkAttachment): boolean {
  return (
    protocol === IPPROTO_UDP &&
    connection.answeredBy !== attachment.address &&
    attachment.published.some(
      (port) =>
        port.protocol === "udp" &&
        port.hostPort === connection.destinationPort &&
        (port.hostIp === connection.destination || port.hostIp === "0.0.0.0"),
    )
  );
}

/**
 * Forgets them; to be called once the container's ports are published. A kernel that cannot be asked (without
 * nf_conntrack_netlink) forgets a client that is silent for 30 seconds.
 */
export function forgetClients(attachment: NetworkAttachment): void {
  try {
    using netlink = new NetlinkSocket("nftables");
    const local = new Map<string, boolean>();
    for (const message of netlink.query(dumpConnections(), "list the connections that are tracked")) {
      const connection = parseConnection(message);
      if (connection === undefined || !isAstray(connection, attachment)) continue;
      const { destination } = connection;
      if (!local.has(destination)) local.set(destination, isLocal(destination));
      if (local.get(destination) === true) forget(netlink, connection);
    }
  } catch (error) {
    // The container runs, whatever becomes of this.
    if (!(error instanceof NetlinkError || error instanceof SystemError)) throw error;
  }
}

function forget(netlink: NetlinkSocket, connection: TrackedConnection): void {
  try {
    netlink.request(deleteConnection(connection));
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof NetlinkError && error.code === "not-found")) throw error;
  }
}
