import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { parseMessages } from "../../os/netlink/message.ts";
import { parseElements } from "../../os/netlink/nftables.ts";
import type { PublishedPort } from "../ports.ts";
import { HOST_INTERFACE, hostInterfaceOf, planAttachment } from "./attach.ts";
import { parsePublished, publishPorts, unpublishPorts } from "./firewall.ts";
import { keeperNames } from "./setup.ts";
import { FIREWALL_REVISION, firewallText } from "./table.ts";

test("another table is another revision", () => {
  const digest = createHash("sha256").update(firewallText()).digest("hex").slice(0, 16);
  // When this fails, raise FIREWALL_REVISION and write both here.
  expect([FIREWALL_REVISION, digest]).toEqual([1, "f7d03aff8748f0e7"]);
});

test("published ports are written and read alike", () => {
  const ports: PublishedPort[] = [
    { protocol: "tcp", hostIp: "0.0.0.0", hostPort: 65535, containerIp: "172.30.0.2", containerPort: 80 },
    {
      protocol: "udp",
      hostIp: "127.0.0.1",
      hostPort: 53,
      containerIp: "172.30.255.254",
      containerPort: 5353,
    },
    { protocol: "sctp", hostIp: "10.0.0.1", hostPort: 1, containerIp: "10.1.1.1", containerPort: 2 },
  ];
  const { bytes, acks, describe } = publishPorts(ports);
  const read = parseMessages(bytes).flatMap(parseElements).map(parsePublished);
  expect(read).toEqual(ports);
  expect(acks).toBe(1);
  expect(describe[1]).toBe(
    'nft "add element ip bocker ports { udp . 127.0.0.1 . 53 : 172.30.255.254 . 5353 }"',
  );
  expect(unpublishPorts(ports).describe[0]).toBe('nft "delete element ip bocker ports_any { tcp . 65535 }"');
  expect(() => publishPorts([])).toThrow();
});

test("names of a container's ends", () => {
  const bridge = {
    name: "bocker0",
    index: 3,
    gateway: "10.1.0.1",
    subnet: { network: 0x0a010000, prefixLength: 16 },
  };
  const seen = new Set<number>();
  for (let i = 0; i < 500; i++) {
    const plan = planAttachment({ bridge, ip: "10.1.0.2" });
    expect(plan.hostInterface).toBe("vetha010002");
    expect(plan.hostIndex).toBeGreaterThanOrEqual(1 << 24);
    expect(plan.hostIndex).toBeLessThan(2 ** 30);
    seen.add(plan.hostIndex);
  }
  expect(seen.size).toBeGreaterThan(495);
  const addresses = ["10.30.0.2", "172.30.0.2", "192.168.0.2", "172.30.1.2", "192.30.0.2"];
  const names = new Set(addresses.map(hostInterfaceOf));
  expect(names.size).toBe(addresses.length);
  for (const name of names) expect(name).toMatch(HOST_INTERFACE);
  const plan = planAttachment({ bridge, ip: "10.1.0.2", number: 1, defaultRoute: false });
  expect(plan.containerInterface).toBe("eth1");
  expect([plan.host.acks, plan.inside.acks]).toEqual([2, 2]);
  expect(parseMessages(plan.inside.bytes)).toHaveLength(2);
  expect(plan.mac).toBe("02:42:0a:01:00:02");
  for (const name of ["bocker0", "br-0123456789ab"]) {
    for (const end of keeperNames(name)) expect(end.length).toBeLessThanOrEqual(15);
  }
});
