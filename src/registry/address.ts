/** Where a host name points: to this machine, to its link, or elsewhere. */
import { BlockList, isIP } from "node:net";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

const INTERNAL = new BlockList();
INTERNAL.addSubnet("0.0.0.0", 8, "ipv4");
INTERNAL.addSubnet("127.0.0.0", 8, "ipv4");
// Link-local: 169.254.169.254 gives a cloud machine's credentials to whoever asks from inside.
INTERNAL.addSubnet("169.254.0.0", 16, "ipv4");
INTERNAL.addAddress("::", "ipv6");
INTERNAL.addAddress("::1", "ipv6");
INTERNAL.addSubnet("fe80::", 10, "ipv6");

function contains(list: BlockList, hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, "");
  const family = isIP(address);
  if (family === 0) return false;
  return list.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** "localhost" and the addresses of loopback, with or without brackets; not names that lead there. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === "localhost" || contains(LOOPBACK, hostname);
}

/** Loopback, link-local and unspecified addresses: where no server may send its clients. */
export function isInternalAddress(hostname: string): boolean {
  return hostname === "localhost" || contains(INTERNAL, hostname);
}
