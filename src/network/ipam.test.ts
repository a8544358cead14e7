import { describe, expect, test } from "bun:test";
import {
  chooseSubnet,
  formatSubnet,
  gatewayOf,
  macOf,
  nextAddress,
  parseSubnet,
  subnetContains,
  subnetOf,
  subnetsOverlap,
} from "./ipam.ts";

test("CIDR text", () => {
  for (const text of ["172.30.0.0/16", "0.0.0.0/0", "255.255.255.255/32", "10.0.0.128/25"]) {
    expect(formatSubnet(parseSubnet(text))).toBe(text);
  }
  for (const text of [
    "",
    "172.30.0.0",
    "172.30.0.0/33",
    "172.30.0/16",
    "1.2.3.04/32",
    "a/8",
    "1.2.3.4/8",
    "::/0",
  ]) {
    expect(() => parseSubnet(text)).toThrow();
  }
  expect(() => parseSubnet("172.30.1.0/16")).toThrow("it should be 172.30.0.0/16");
});

test("containment and overlap", () => {
  const wide = parseSubnet("172.16.0.0/12");
  expect(subnetContains(wide, "172.31.255.255")).toBe(true);
  expect(subnetContains(wide, "172.32.0.0")).toBe(false);
  expect(subnetsOverlap(wide, parseSubnet("172.30.9.0/24"))).toBe(true);
  expect(subnetsOverlap(parseSubnet("192.168.0.0/16"), parseSubnet("192.169.0.0/16"))).toBe(false);
  expect(subnetsOverlap(parseSubnet("200.0.0.0/8"), parseSubnet("200.1.0.0/16"))).toBe(true);
});

test("the first candidate that the host does not use", () => {
  expect(formatSubnet(chooseSubnet([]))).toBe("172.30.0.0/16");
  expect(formatSubnet(chooseSubnet([subnetOf("172.30.4.4", 32)]))).toBe("172.29.0.0/16");
  expect(formatSubnet(chooseSubnet([parseSubnet("172.16.0.0/12"), parseSubnet("10.0.0.0/8")]))).toBe(
    "192.168.208.0/20",
  );
  expect(() => chooseSubnet([parseSubnet("0.0.0.0/1"), parseSubnet("128.0.0.0/1")])).toThrow(
    "all predefined address pools have been fully subnetted",
  );
});

describe("addresses", () => {
  const subnet = parseSubnet("10.1.2.0/29");
  const gateway = gatewayOf(subnet);

  test("go round, past the ends, the gateway and what is taken", () => {
    const taken = new Set<string>();
    expect(nextAddress(subnet, { gateway, taken })).toBe("10.1.2.2");
    expect(nextAddress(subnet, { gateway, taken, last: "10.1.2.2" })).toBe("10.1.2.3");
    expect(nextAddress(subnet, { gateway, taken, last: "10.1.2.6" })).toBe("10.1.2.2");
    expect(nextAddress(subnet, { gateway, taken: new Set(["10.1.2.3", "10.1.2.4"]), last: "10.1.2.2" })).toBe(
      "10.1.2.5",
    );
    expect(nextAddress(subnet, { gateway, taken, last: "192.168.0.1" })).toBe("10.1.2.2");
  });

  test("run out", () => {
    const taken = new Set(["10.1.2.2", "10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6"]);
    expect(() => nextAddress(subnet, { gateway, taken, last: "10.1.2.4" })).toThrow(
      "no available IPv4 addresses",
    );
    expect(() => nextAddress(parseSubnet("10.0.0.0/32"), { gateway: "10.0.0.1", taken })).toThrow();
  });

  test("a MAC for each", () => expect(macOf("172.17.0.2")).toBe("02:42:ac:11:00:02"));
});
