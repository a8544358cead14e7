/** IPv4 subnets and the addresses in them. Pure; who holds which address is the state's business. */
import { BockerError } from "../base/errors.ts";
import { formatIpv4, parseIpv4, tryParseIpv4 } from "../base/ipv4.ts";

/** A network: `network` is its first address as an unsigned number, host bits zero. */
export interface Subnet {
  readonly network: number;
  readonly prefixLength: number;
}

/** Subnets for bocker's own networks, tried in this order. Docker's are 172.17–31; these come from the far end. */
export const SUBNET_CANDIDATES = [
  "172.30.0.0/16",
  "172.29.0.0/16",
  "172.28.0.0/16",
  "10.198.0.0/16",
  "192.168.208.0/20",
] as const;

export function addressToNumber(address: string): number {
  const [a, b, c, d] = parseIpv4(address);
  return (((a as number) << 24) | ((b as number) << 16) | ((c as number) << 8) | (d as number)) >>> 0;
}

export function numberToAddress(value: number): string {
  return formatIpv4(Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255));
}

function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}

/** How many addresses, network and broadcast included. */
export function subnetSize(subnet: Subnet): number {
  return 2 ** (32 - subnet.prefixLength);
}

/** The subnet that `address` is in. */
export function subnetOf(address: string, prefixLength: number): Subnet {
  return { network: (addressToNumber(address) & maskOf(prefixLength)) >>> 0, prefixLength };
}

/** "172.30.0.0/16". Host bits must be zero, as Docker demands. */
export function parseSubnet(text: string): Subnet {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const address = match?.[1] ?? "";
  const prefixLength = Number(match?.[2]);
  if (match === null || tryParseIpv4(address) === undefined || prefixLength > 32) {
    throw new BockerError("invalid", `invalid CIDR address: ${text}`);
  }
  const subnet = subnetOf(address, prefixLength);
  if (subnet.network !== addressToNumber(address)) {
    const right = formatSubnet(subnet);
    throw new BockerError("invalid", `invalid network config: invalid subnet ${text}: it should be ${right}`);
  }
  return subnet;
}

export function formatSubnet(subnet: Subnet): string {
  return `${numberToAddress(subnet.network)}/${subnet.prefixLength}`;
}

export function subnetContains(subnet: Subnet, address: string): boolean {
  return (addressToNumber(address) & maskOf(subnet.prefixLength)) >>> 0 === subnet.network;
}

export function subnetsOverlap(a: Subnet, b: Subnet): boolean {
  const mask = maskOf(Math.min(a.prefixLength, b.prefixLength));
  return (a.network & mask) >>> 0 === (b.network & mask) >>> 0;
}

/** The first candidate that overlaps none of `used`. Throws "conflict" with Docker's words. */
export function chooseSubnet(
  used: readonly Subnet[],
  candidates: readonly string[] = SUBNET_CANDIDATES,
): Subnet {
  for (const candidate of candidates) {
    const subnet = parseSubnet(candidate);
    if (!used.some((other) => subnetsOverlap(subnet, other))) return subnet;
  }
  throw new BockerError("conflict", "all predefined address pools have been fully subnetted");
}

/** The bridge's own address: the first of the subnet. */
export function gatewayOf(subnet: Subnet): string {
  return numberToAddress(subnet.network + 1);
}

/**
 * The next free address after `last`, around the whole subnet, so that an address rests as long as possible
 * before another container gets it. Skips the network, broadcast and gateway addresses. Throws "conflict" when full.
 */
export function nextAddress(
  subnet: Subnet,
  options: { gateway: string; taken: ReadonlySet<string>; last?: string },
): string {
  const size = subnetSize(subnet);
  const usable = size - 2;
  const last = options.last === undefined ? 0 : addressToNumber(options.last) - subnet.network;
  const start = last >= 1 && last <= usable ? last : 0;
  for (let step = 0; step < usable; step++) {
    const address = numberToAddress(subnet.network + 1 + ((start + step) % usable));
    if (address !== options.gateway && !options.taken.has(address)) return address;
  }
  throw new BockerError("conflict", "no available IPv4 addresses on this network's address pools");
}

/** 02:42 and the address, so that a reused address comes with the MAC its neighbours remember. */
export function macOf(address: string): string {
  return [2, 0x42, ...parseIpv4(address)].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
