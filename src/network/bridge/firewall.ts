/** The requests that change the table `ip bocker` (table.ts): install it, add a bridge, publish a port. Pure. */
import { parseIpv4 } from "../../base/ipv4.ts";
import type { NetlinkRequest } from "../../os/netlink/message.ts";
import { interfaceName } from "../../os/netlink/nft-expressions.ts";
import {
  addChain,
  addElements,
  addRule,
  addSet,
  addTable,
  type Command,
  deleteElements,
  type Element,
  flushRules,
  nftBatch,
} from "../../os/netlink/nftables.ts";
import { formatSubnet, numberToAddress, type Subnet, subnetSize } from "../ipam.ts";
import type { Protocol, PublishedPort } from "../ports.ts";
import { CHAINS, firewallText, RULES, SETS, TABLE } from "./table.ts";

const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** A bridge as the firewall sees it. */
export interface BridgeMembership {
  readonly bridge: string;
  readonly subnet: Subnet;
  /** `docker network create --internal`: no way out of the host. */
  readonly internal: boolean;
}

/**
 * One transaction that leaves the table complete whatever was there: missing, older, or the same. Elements stay.
 * `bridges` are added; a bridge that is there already is fine.
 */
export function installFirewall(bridges: readonly BridgeMembership[]): NetlinkRequest {
  const commands: Command[] = [
    addTable(TABLE),
    ...SETS.map((set, index) => addSet(set, index + 1)),
    ...CHAINS.map(addChain),
    flushRules(TABLE),
    ...RULES.map(({ chain, expressions }) => addRule(TABLE, chain, expressions)),
    ...bridges.flatMap(membershipCommands),
  ];
  const describe = [
    `nft -f - <<'EOF'\n${firewallText()}\nEOF`,
    ...bridges.map(
      ({ bridge, subnet, internal }) =>
        `nft "add element ip ${TABLE} bridges { ${bridge} }; add element ip ${TABLE} links { ${bridge} . ${bridge} }; ` +
        `add element ip ${TABLE} subnets { ${formatSubnet(subnet)} }${
          internal ? "" : `; add element ip ${TABLE} outbound { ${bridge} }`
        }"`,
    ),
  ];
  return nftBatch(commands, describe);
}

function membershipElements({ bridge, subnet, internal }: BridgeMembership): [string, Element[]][] {
  const name = interfaceName(bridge);
  const pair = new Uint8Array(32);
  pair.set(name, 0);
  pair.set(name, 16);
  const interval = [
    { key: parseIpv4(numberToAddress(subnet.network)) },
    { key: parseIpv4(numberToAddress((subnet.network + subnetSize(subnet)) >>> 0)), intervalEnd: true },
  ];
  return [
    ["bridges", [{ key: name }]],
    ["links", [{ key: pair }]],
    ["subnets", interval],
    ...(internal ? [] : [["outbound", [{ key: name }]] as [string, Element[]]]),
  ];
}

function membershipCommands(membership: BridgeMembership): Command[] {
  return membershipElements(membership).map(([set, elements]) =>
    addElements(TABLE, set, elements, { exclusive: false }),
  );
}

function portKey({ protocol, hostIp, hostPort }: PublishedPort): { map: string; key: Uint8Array } {
  const any = hostIp === "0.0.0.0";
  const key = new Uint8Array(any ? 8 : 12);
  key[0] = PROTOCOL_NUMBERS[protocol];
  if (!any) key.set(parseIpv4(hostIp), 4);
  new DataView(key.buffer).setUint16(any ? 4 : 8, hostPort, false);
  return { map: any ? "ports_any" : "ports", key };
}

function portData({ containerIp, containerPort }: PublishedPort): Uint8Array {
  const data = new Uint8Array(8);
  data.set(parseIpv4(containerIp), 0);
  new DataView(data.buffer).setUint16(4, containerPort, false);
  return data;
}

function portText(port: PublishedPort, withTarget: boolean): string {
  const any = port.hostIp === "0.0.0.0";
  const key = `${port.protocol} . ${any ? "" : `${port.hostIp} . `}${port.hostPort}`;
  const target = withTarget ? ` : ${port.containerIp} . ${port.containerPort}` : "";
  return `ip ${TABLE} ${any ? "ports_any" : "ports"} { ${key}${target} }`;
}

/** Adds the ports in one transaction. EEXIST: one of them is published already. `ports` must not be empty. */
export function publishPorts(ports: readonly PublishedPort[]): NetlinkRequest {
  const commands = ports.map((port) => {
    const { map, key } = portKey(port);
    return addElements(TABLE, map, [{ key, data: portData(port) }], { exclusive: true });
  });
  return nftBatch(
    commands,
    ports.map((port) => `nft "add element ${portText(port, true)}"`),
  );
}

/**
 * Removes them in one transaction; ENOENT when one is missing, and then none is removed. Closing the socket
 * after it waits about 8 ms, so the monitor sends it.
 */
export function unpublishPorts(ports: readonly PublishedPort[]): NetlinkRequest {
  const commands = ports.map((port) => {
    const { map, key } = portKey(port);
    return deleteElements(TABLE, map, [{ key }]);
  });
  return nftBatch(
    commands,
    ports.map((port) => `nft "delete element ${portText(port, false)}"`),
  );
}

/** An element of `ports` (12-byte keys) or `ports_any` (8-byte keys), read back. */
export function parsePublished(element: Element): PublishedPort | undefined {
  const { key, data } = element;
  if (data === undefined || data.length < 6 || (key.length !== 8 && key.length !== 12)) return undefined;
  const protocol = (Object.keys(PROTOCOL_NUMBERS) as Protocol[]).find(
    (name) => PROTOCOL_NUMBERS[name] === key[0],
  );
  if (protocol === undefined) return undefined;
  const any = key.length === 8;
  const port = (bytes: Uint8Array, offset: number) => ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
  return {
    protocol,
    hostIp: any ? "0.0.0.0" : key.subarray(4, 8).join("."),
    hostPort: port(key, any ? 4 : 8),
    containerIp: data.subarray(0, 4).join("."),
    containerPort: port(data, 4),
  };
}
