import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Descriptor } from "../spec/descriptor.ts";
import { OCI_MANIFEST } from "../spec/media-types.ts";
import { isInternalAddress, isLoopbackHost } from "./address.ts";
import { parseChallenges } from "./challenge.ts";
import { findCredentials } from "./credentials.ts";
import { originsOf } from "./endpoint.ts";
import { retryAfterOf } from "./failure.ts";
import { exchange } from "./http.ts";
import { parsePlatform, selectManifest } from "./platform.ts";

test.each([
  [
    'Bearer realm="https://a/t",service="s, \\"x\\"",scope="r:a:pull"',
    [["bearer", { realm: "https://a/t", service: 's, "x"', scope: "r:a:pull" }]],
  ],
  [
    'Basic realm="a", Bearer realm = b',
    [
      ["basic", { realm: "a" }],
      ["bearer", { realm: "b" }],
    ],
  ],
  [
    "Negotiate, BASIC REALM=x",
    [
      ["negotiate", {}],
      ["basic", { realm: "x" }],
    ],
  ],
  ['Bearer realm="unfinished', [["bearer", { realm: "unfinished" }]]],
  ["", []],
  ["=,=,;", []],
])("the challenge %s", (header, expected) => {
  const found = parseChallenges(header).map(({ scheme, parameters }) => [
    scheme,
    Object.fromEntries(parameters),
  ]);
  expect(found).toEqual(expected as typeof found);
});

test("a long challenge is read in linear time: else this would not end before the runner gives up", () => {
  expect(parseChallenges(`Bearer ${'a="'.repeat(1_000_000)}`).length).toBeLessThan(2);
  expect(parseChallenges(`${"a ".repeat(1_000_000)}=`)).toBeArray();
});

test("plain http is for this machine only", () => {
  const schemes = (domain: string) => originsOf(domain, false).map(({ protocol }) => protocol);
  for (const domain of ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"])
    expect(schemes(domain)).toEqual(["https:", "http:"]);
  for (const domain of [
    "docker.io",
    "example.com",
    "10.0.0.1:5000",
    "localhost.example.com",
    "127.0.0.1.example.com",
  ])
    expect(schemes(domain)).toEqual(["https:"]);
  expect(originsOf("docker.io", false)[0]?.host).toBe("registry-1.docker.io");
});

test("internal addresses in every notation", async () => {
  for (const host of [
    "127.0.0.1",
    "0177.0.0.1",
    "2130706433",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[fe80::1]",
    "0.0.0.0",
    "169.254.169.254",
    "localhost",
  ]) {
    const url = new URL(`http://${host}/`);
    expect([host, isInternalAddress(url.hostname)]).toEqual([host, true]);
    const sent = exchange({ method: "GET", url, headers: {}, publicOnly: true });
    await expect(sent).rejects.toMatchObject({ code: "denied" });
  }
  for (const host of ["10.0.0.1", "example.com", "[2001:db8::1]"])
    expect(isInternalAddress(host)).toBe(false);
  expect(isLoopbackHost("169.254.169.254")).toBe(false);
});

test("Retry-After in seconds and as a date", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  expect(retryAfterOf("3", now)).toBe(3000);
  expect(retryAfterOf("Thu, 01 Jan 2026 00:00:05 GMT", now)).toBe(5000);
  expect(retryAfterOf("Thu, 01 Jan 2015 00:00:05 GMT", now)).toBe(0);
  expect(retryAfterOf("soon", now)).toBeUndefined();
  expect(retryAfterOf(undefined, now)).toBeUndefined();
});

test("credentials match whole names", () => {
  const directory = mkdtempSync(join(tmpdir(), "bocker-config-"));
  const path = join(directory, "config.json");
  const auth = Buffer.from("user:pass:word\0").toString("base64");
  const auths = {
    "https://index.docker.io/v1/": { auth },
    "https://a.example": { auth },
    "b.example": {},
    "c.example:5000": { auth },
  };
  try {
    expect(findCredentials("a.example", path)).toBeUndefined();
    writeFileSync(path, JSON.stringify({ auths, credsStore: "desktop" }));
    const user = { username: "user", password: "pass:word" };
    expect(
      ["docker.io", "a.example", "c.example:5000"].map((domain) => findCredentials(domain, path)),
    ).toEqual([user, user, user]);
    for (const domain of ["b.example", "c.example", "x.a.example", "example", "__proto__"])
      expect(findCredentials(domain, path)).toBeUndefined();
    writeFileSync(path, "{ secret");
    expect(() => findCredentials("a.example", path)).toThrow(`${path} is not valid JSON`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function entries(...platforms: (string | undefined)[]): Descriptor[] {
  return platforms.map((platform, index) => {
    const [os = "", architecture = "", variant] = platform?.split("/") ?? [];
    const known = { os, architecture, ...(variant === undefined ? {} : { variant }) };
    const digest = `sha256:${String(index).padStart(64, "0")}` as const;
    return {
      mediaType: OCI_MANIFEST,
      digest,
      size: 1,
      ...(platform === undefined ? {} : { platform: known }),
    };
  });
}

test.each([
  ["linux/arm64", ["linux/amd64", "linux/arm64/v8"], 1],
  ["linux/arm64/v8", ["linux/arm/v7", "linux/arm64"], 1],
  ["linux/arm", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm/v8"], 2],
  ["linux/arm/v6", ["linux/arm/v7", "linux/arm/v5"], 1],
  ["linux/amd64", ["linux/amd64/v3", "linux/amd64"], 1],
  ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], 1],
  ["linux/x86_64", ["unknown/unknown", "windows/amd64", "linux/amd64"], 2],
  ["linux/386", [undefined, "linux/amd64"], 0],
])("for %s of %j", (wanted, offered, expected) => {
  const list = entries(...offered);
  const own = { os: "linux", architecture: "amd64" };
  expect(selectManifest(list, parsePlatform(wanted, own))).toBe(list[expected]!);
});

test("a platform that is not offered, or is none", () => {
  const own = { os: "linux", architecture: "amd64" };
  expect(() => selectManifest(entries("linux/amd64"), parsePlatform("arm64", own))).toThrow(
    "no matching manifest for linux/arm64 in the manifest list entries",
  );
  expect(parsePlatform("windows", own)).toMatchObject({ os: "windows", architecture: "amd64" });
  // G9: a registry chooses the names that are looked up.
  for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
    const list = entries(`linux/${name}`, `linux/arm/${name}`, "linux/amd64");
    expect(selectManifest(list, own)).toBe(list[2]!);
    expect(() => selectManifest(list.slice(0, 2), own)).toThrow("no matching manifest");
  }
  for (const text of ["", "a/b/c/d", "linux/", "li nux"])
    expect(() => parsePlatform(text, own)).toThrow("invalid platform");
});
