import { describe, expect, test } from "bun:test";
import { hostnameFile, hostsText, parseAddHost, resolvConfPath, resolvFile } from "./files.ts";

describe("/etc/hosts", () => {
  test("as Docker writes it", () => {
    const text = hostsText({
      own: { address: "172.17.0.2", hostname: "0123456789ab" },
      extra: [parseAddHost("db:10.0.0.9"), parseAddHost("gate=host-gateway", "172.17.0.1")],
    });
    expect(text).toBe(
      [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::\tip6-localnet",
        "ff00::\tip6-mcastprefix",
        "ff02::1\tip6-allnodes",
        "ff02::2\tip6-allrouters",
        "10.0.0.9\tdb",
        "172.17.0.1\tgate",
        "172.17.0.2\t0123456789ab",
        "",
      ].join("\n"),
    );
  });

  test("a full name has its short one beside it", () => {
    const own = { address: "10.0.0.2", hostname: "web", domainname: "example.test" };
    expect(hostsText({ own, ipv6: false })).toBe("127.0.0.1\tlocalhost\n10.0.0.2\tweb.example.test web\n");
    expect(hostsText({ own: { address: "10.0.0.2", hostname: "a.b" }, ipv6: false })).toEndWith("\ta.b a\n");
  });

  test("add-host", () => {
    expect(parseAddHost("six:[::1]").address).toBe("::1");
    expect(parseAddHost("six:fe80::1").address).toBe("fe80::1");
    expect(() => parseAddHost("x")).toThrow('bad format for add-host: "x"');
    expect(() => parseAddHost(":1.2.3.4")).toThrow("bad format for add-host");
    expect(() => parseAddHost("a:1.2.3")).toThrow('invalid IP address in add-host: "1.2.3"');
    expect(() => parseAddHost("a:host-gateway")).toThrow("host-gateway");
  });
});

test("nothing adds a line", () => {
  const own = { address: "1.1.1.1", hostname: "x" };
  expect(() => hostsText({ own: { ...own, hostname: "a\nb" } })).toThrow("invalid hostname");
  expect(() => hostsText({ own: { ...own, domainname: "a b" } })).toThrow("invalid domainname");
  expect(() => parseAddHost("a\nb:1.1.1.1")).toThrow();
  expect(() => parseAddHost("a:1.1.1.1\n6.6.6.6 evil")).toThrow();
  expect(() => hostnameFile("a\nb")).toThrow();
  expect(() => hostnameFile("")).toThrow();
  expect(() => resolvFile("", { nameservers: ["1.1.1.1\noptions x"] })).toThrow();
  expect(() => resolvFile("", { search: ["a\nnameserver 6.6.6.6"] })).toThrow();
  expect(() => resolvFile("", { options: ["a\tb"] })).toThrow();
  expect(hostnameFile("web")).toBe("web\n");
});

describe("/etc/resolv.conf", () => {
  const body = (text: string) => text.replace(/^#.*\n/, "");
  const host =
    "# c\nnameserver 127.0.0.1\nnameserver 10.0.0.1\nnameserver ::1\nnameserver fd00::1\nsearch a.test b.test\noptions ndots:2 edns0\n";

  test("the host's, without servers that only the host reaches", () => {
    expect(body(resolvFile(host))).toBe("nameserver 10.0.0.1\nsearch a.test b.test\noptions ndots:2 edns0\n");
    expect(body(resolvFile("nameserver 127.0.0.53\n"))).toBe("nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    expect(body(resolvFile(""))).toBe("nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  });

  test("overrides replace line by line", () => {
    expect(body(resolvFile(host, { nameservers: ["127.0.0.1", "fd00::2"] }))).toBe(
      "nameserver 127.0.0.1\nnameserver fd00::2\nsearch a.test b.test\noptions ndots:2 edns0\n",
    );
    expect(body(resolvFile(host, { search: ["."], options: ["use-vc"] }))).toBe(
      "nameserver 10.0.0.1\noptions use-vc\n",
    );
  });

  test("on the host's network as it is", () => {
    expect(resolvFile(host, {}, { ownNetwork: false })).toBe(host);
    expect(body(resolvFile(host, { search: ["c.test"] }, { ownNetwork: false }))).toStartWith(
      "nameserver 127.0.0.1\nnameserver 10.0.0.1\nnameserver ::1\nnameserver fd00::1\nsearch c.test\n",
    );
  });

  test("systemd-resolved's stub has its servers elsewhere", () => {
    expect(resolvConfPath("nameserver 127.0.0.53\n")).toBe("/run/systemd/resolve/resolv.conf");
    expect(resolvConfPath("nameserver 127.0.0.53\nnameserver 1.1.1.1\n")).toBe("/etc/resolv.conf");
  });
});
