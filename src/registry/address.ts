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

/** A host of a URL without the brackets that IPv6 addresses have there. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** The port that a URL leads to. */
export function portOf({ port, protocol }: URL): string {
  return port !== "" ? port : protocol === "https:" ? "443" : "80";
}

function contains(list: BlockList, hostname: string): boolean {
  const address = bareHost(hostname);
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

/** Whether an address lies in `network`, ADDRESS/BITS of its family; false for names and for what is no network. */
export function isInNetwork(hostname: string, network: string): boolean {
  const [base = "", bits = ""] = network.split("/");
  const family = isIP(base);
  if (family === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family === 4 ? "ipv4" : "ipv6");
  return contains(list, hostname);
}
