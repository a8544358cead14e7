/** Containers' interfaces that have lost their bridge: somebody has deleted it under them, and they are nobody's port. */
import { joinRequests } from "../../os/netlink/message.ts";
import {
  dumpLinks,
  getNamespace,
  type Link,
  parseLink,
  parseNamespace,
  setHairpin,
  setMaster,
} from "../../os/netlink/rtnetlink.ts";
import { NetlinkError, NetlinkSocket } from "../../os/netlink/socket.ts";
import { HOST_INTERFACE } from "./attach.ts";
import type { Bridge } from "./bridge.ts";

/** The number of a process's network namespace; undefined when it has ended. */
function namespaceOf(route: NetlinkSocket, pid: number): number | undefined {
  try {
    return route.query(getNamespace(pid), `look up the network of ${pid}`).map(parseNamespace)[0];
  } catch (error) {
    if (error instanceof NetlinkError) return undefined;
    throw error;
  }
}

/** The host's ends of these processes' veths that are ports of no bridge. */
export function detachedInterfaces(pids: readonly number[]): Link[] {
  if (pids.length === 0) return [];
  using route = new NetlinkSocket("route");
  const namespaces = new Set(pids.map((pid) => namespaceOf(route, pid)));
  return route
    .query(dumpLinks(), "list interfaces")
    .flatMap((message) => parseLink(message) ?? [])
    .filter(
      ({ name, master, peerNamespace }) =>
        master === undefined &&
        peerNamespace !== undefined &&
        namespaces.has(peerNamespace) &&
        HOST_INTERFACE.test(name),
    );
}

/** Makes them ports of the bridge, as they were born. */
export function attachInterfaces(links: readonly Link[], bridge: Bridge): void {
  if (links.length === 0) return;
  using route = new NetlinkSocket("route");
  for (const { index, name } of links)
    try {
      const link = { index, name };
      route.request(joinRequests([setMaster(link, bridge), setHairpin(link)]));
    } catch (error) {
      // Its container has ended meanwhile.
      if (!(error instanceof NetlinkError) || error.code !== "not-found") throw error;
    }
}
