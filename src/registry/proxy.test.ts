import { describe, expect, test } from "bun:test";
import { proxiesOf, proxyFor } from "./proxy.ts";

const PROXY = "http://proxy.test:3128";
const isProxied = (url: string, exceptions: string) =>
  proxyFor(proxiesOf({ HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, NO_PROXY: exceptions }), new URL(url)) !==
  undefined;

// What golang.org/x/net/http/httpproxy says of the same.
describe("NO_PROXY", () => {
  test.each<[string, string, boolean]>([
    ["https://example.test", "", true],
    ["https://localhost", "", false],
    ["https://127.9.9.9:5000", "", false],
    ["https://[::1]:5000", "", false],
    ["https://example.test", "*", false],
    ["https://example.test", "example.test", false],
    ["https://a.example.test", "example.test", false],
    ["https://notexample.test", "example.test", true],
    ["https://EXAMPLE.test", "Example.TEST", false],
    ["https://example.test", ".example.test", true],
    ["https://a.example.test", ".example.test", false],
    ["https://a.example.test", "*.example.test", false],
    ["https://example.test", "*.example.test", true],
    ["https://example.test:5000", "example.test:5000", false],
    ["https://example.test:5001", "example.test:5000", true],
    ["https://example.test", "example.test:443", false],
    ["http://example.test", "example.test:80", false],
    ["https://10.1.2.3", "10.1.2.3", false],
    ["https://10.1.2.3", "10.1.0.0/16", false],
    ["https://10.2.2.3", "10.1.0.0/16", true],
    ["https://10.1.2.3", "10.1.0.0/x", true],
    ["https://10.1.2.3", "10.1.0.0/33", true],
    ["https://[fd00::1]", "fd00::/8", false],
    ["https://[fd00::1]:5000", "[fd00::1]:5000", false],
    ["https://[fd00::1]:5001", "[fd00::1]:5000", true],
    ["https://[fd00::1]", "fd00::1", false],
    ["https://example.test", " other.test , example.test ", false],
    ["https://example.test.", "example.test", false],
  ])("%s with %p: %p", (url, exceptions, expected) => expect(isProxied(url, exceptions)).toBe(expected));
});

describe("which proxy", () => {
  const both = { HTTP_PROXY: "plain.test", https_proxy: "https://user:pw@secure.test" };
  test("by the scheme of the URL, upper case before lower, without a scheme it is http", () => {
    const proxies = proxiesOf({ ...both, http_proxy: "other.test", HTTPS_PROXY: "" });
    expect(proxyFor(proxies, new URL("http://x.test"))?.href).toBe("http://plain.test/");
    expect(proxyFor(proxies, new URL("https://x.test"))?.href).toBe("https://user:pw@secure.test/");
  });
  test("the file's keys, one by one, before the variables", () => {
    const proxies = proxiesOf(both, { "http-proxy": "http://file.test:1" }, "/etc/x");
    expect([proxies.http?.host, proxies.https?.host]).toEqual(["file.test:1", "secure.test"]);
  });
  test("none without settings", () => {
    expect(proxyFor(proxiesOf({}), new URL("https://x.test"))).toBeUndefined();
  });
  test.each(["ftp://x", "socks5://x", "http://", "http://a b"])("%p is refused", (text) => {
    expect(() => proxiesOf({ HTTP_PROXY: text })).toThrow("HTTP_PROXY: ");
  });
});
