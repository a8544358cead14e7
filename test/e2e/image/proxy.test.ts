/** Registries that are reached through a proxy: the names of this file lead nowhere, only the proxy knows their address. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Result, Sandbox } from "../sandbox.ts";
import { Registry, Service } from "./registry.ts";

const SECURE = "secure.test:5443";
const PLAIN = "plain.test:5001";
const SERVER = join(import.meta.dirname, "proxy-server.ts");

let sandbox: Sandbox;
const services: { stop(): Promise<void> }[] = [];
const proxies: Record<"open" | "closed" | "narrow" | "https", Service> = {} as never;
beforeAll(async () => {
  sandbox = busyboxSandbox();
  const at = (name: string) => join(sandbox.directory, name);
  const words =
    "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=secure.test -addext subjectAltName=DNS:secure.test,DNS:localhost";
  execFileSync("openssl", [...words.split(" "), "-keyout", at("key"), "-out", at("certificate")], {
    stdio: "ignore",
  });
  mkdirSync(join(at("certs.d"), SECURE), { recursive: true });
  execFileSync("cp", [at("certificate"), join(at("certs.d"), SECURE, "ca.crt")]);
  const tls = { certificate: at("certificate"), key: at("key") };
  services.push(await Registry.start(sandbox, SECURE, { address: "127.0.0.1:5443", tls }));
  services.push(await Registry.start(sandbox, PLAIN, { address: "127.0.0.1:5001" }));
  const start = async (port: number, options: object) => {
    const program = [process.execPath, SERVER, String(port), "127.0.0.1", JSON.stringify(options)];
    const service = await Service.start(sandbox, program, "proxy is up");
    services.push(service);
    return service;
  };
  proxies.open = await start(3128, {});
  proxies.closed = await start(3129, { user: "alice:s@cret" });
  proxies.narrow = await start(3130, { only443: true });
  proxies.https = await start(3131, { key: tls.key, certificate: tls.certificate });
});
afterAll(async () => {
  for (const service of services) await service.stop();
  sandbox.remove();
});

/** With these variables; and with `settings` as the registries' file. */
function bocker(words: string[], variables: Record<string, string>, settings: object = {}): Result {
  const path = join(sandbox.directory, "registries.json");
  writeFileSync(path, JSON.stringify({ "insecure-registries": [PLAIN], ...settings }));
  const all = {
    BOCKER_REGISTRIES: path,
    BOCKER_CERTS_DIR: join(sandbox.directory, "certs.d"),
    DOCKER_CONFIG: "/nonexistent",
    ...variables,
  };
  const environment = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  return sandbox.execute(["env", ...environment, sandbox.binary, ...words]);
}

/** Pushes and pulls an image, which must work. */
function roundTrip(host: string, variables: Record<string, string>, settings: object = {}): void {
  const name = `${host}/a/${Math.random().toString(36).slice(2)}:1`;
  sandbox.ok(["tag", "busybox", name]);
  expect(bocker(["push", "-q", name], variables, settings)).toMatchObject({ code: 0, stderr: "" });
  sandbox.ok(["rmi", name]);
  expect(bocker(["pull", "-q", name], variables, settings)).toMatchObject({ code: 0, stderr: "" });
  sandbox.ok(["rmi", name]);
}

const OPEN = "http://127.0.0.1:3128";

describe("push and pull", () => {
  test("https goes through a tunnel: the proxy sees the host and nothing else", () => {
    roundTrip(SECURE, { HTTPS_PROXY: OPEN });
    const seen = proxies.open.output.split("\n").filter((line) => line.includes("secure.test"));
    expect(new Set(seen)).toEqual(new Set([`CONNECT ${SECURE}`]));
  });
  test("plain http is asked for by its whole URL, a tunnel is not even needed", () => {
    roundTrip(PLAIN, { http_proxy: "127.0.0.1:3130", https_proxy: "127.0.0.1:3130" });
    expect(proxies.narrow.output).toContain(`CONNECT ${PLAIN}\n`);
    expect(proxies.narrow.output).toContain(`GET http://${PLAIN}/v2/`);
  });
  test("with a user and a password, which are nowhere shown", () => {
    roundTrip(SECURE, { HTTPS_PROXY: "http://alice:s%40cret@127.0.0.1:3129" });
    const { code, stderr } = bocker(["pull", "-q", `${SECURE}/x`], {
      HTTPS_PROXY: "http://alice:wr0ng@127.0.0.1:3129",
    });
    expect([code, stderr]).toEqual([1, expect.stringContaining("the proxy 127.0.0.1:3129: it wants a user")]);
    expect(stderr).not.toContain("wr0ng");
  });
  test("a proxy that speaks https itself", () => {
    const variables = {
      HTTPS_PROXY: "https://localhost:3131",
      SSL_CERT_FILE: join(sandbox.directory, "certificate"),
    };
    roundTrip(SECURE, variables);
    expect(proxies.https.output).toContain(`CONNECT ${SECURE}\n`);
    const { code, stderr } = bocker(["pull", "-q", `${PLAIN}/x`], { HTTPS_PROXY: "https://localhost:3131" });
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("cannot get through the proxy localhost:3131"),
    ]);
  });
  test("the file's proxies count before the variables", () => {
    const settings = { proxies: { "https-proxy": OPEN, "no-proxy": "elsewhere.test" } };
    roundTrip(SECURE, { HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "secure.test" }, settings);
  });
  test("search and login", () => {
    const { code, stderr } = bocker(["search", `${SECURE}/nothing-like-it`], { HTTPS_PROXY: OPEN });
    expect([code, stderr]).toEqual([0, ""]);
    expect(
      bocker(["login", "-u", "u", "-p", "p", SECURE], { HTTPS_PROXY: OPEN, DOCKER_CONFIG: sandbox.directory })
        .code,
    ).toBe(0);
  });
});

test("this machine and NO_PROXY's hosts are asked themselves", async () => {
  const own = await Registry.start(sandbox, "127.0.0.1:5005");
  try {
    roundTrip("127.0.0.1:5005", { HTTP_PROXY: "http://127.0.0.1:1", HTTPS_PROXY: "http://127.0.0.1:1" });
  } finally {
    await own.stop();
  }
  sandbox.execute(["ip", "address", "add", "10.9.9.9/32", "dev", "lo"]);
  const other = await Registry.start(sandbox, "10.9.9.9:5006");
  try {
    const insecure = { "insecure-registries": ["10.9.9.9:5006"] };
    const nowhere = { HTTP_PROXY: "http://127.0.0.1:1", HTTPS_PROXY: "http://127.0.0.1:1" };
    roundTrip("10.9.9.9:5006", { ...nowhere, NO_PROXY: "a.test, 10.9.0.0/16" }, insecure);
    expect(bocker(["pull", "-q", "10.9.9.9:5006/x"], nowhere, insecure).code).toBe(1);
  } finally {
    await other.stop();
  }
});

describe("what cannot be is said", () => {
  test.each<[string, Record<string, string>, string]>([
    ["nobody listens", { HTTPS_PROXY: "http://127.0.0.1:1" }, "cannot get through the proxy 127.0.0.1:1"],
    [
      "the proxy does not connect",
      { HTTPS_PROXY: "http://127.0.0.1:3130" },
      `does not connect to ${SECURE}: status 403`,
    ],
    ["no URL", { HTTPS_PROXY: "http://:secret@" }, "HTTPS_PROXY: not the URL of a proxy"],
    ["socks", { https_proxy: "socks5://127.0.0.1:1080" }, "https_proxy: proxies of socks5 are not supported"],
  ])("%s", (_, variables, message) => {
    const { code, stderr } = bocker(["pull", "-q", `${SECURE}/x`], variables);
    expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
    expect(stderr).not.toContain("secret");
  });
  test("a bad certificate behind the tunnel", () => {
    const { code, stderr } = bocker(["pull", "-q", `${SECURE}/x`], {
      HTTPS_PROXY: OPEN,
      BOCKER_CERTS_DIR: "/nonexistent",
    });
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`the certificate of ${SECURE} is not trusted`),
    ]);
  });
});
