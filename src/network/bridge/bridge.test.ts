/**
 * A bridge network for real: a "host", a neighbour on its LAN and containers, each a network namespace made here
 * and removed again; connections by python3. Nothing leaves these namespaces.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { firewallText } from "./table.ts";

const ROOT = process.getuid?.() === 0 && spawnSync("ip", ["-V"]).status === 0;
if (!ROOT) console.warn("SKIPPED: bridge network tests need root, ip(8) and python3");

const prefix = `bk${process.pid}`;
const HOST = `${prefix}-host`;
const LAN = `${prefix}-lan`;
const C1 = `${prefix}-c1`;
const C2 = `${prefix}-c2`;
const C3 = `${prefix}-c3`;
const ALL = [HOST, LAN, C1, C2, C3];
const DRIVER = join(import.meta.dirname, "../../../test/network/bridge-host.ts");
/** Where the driver must not run. */
const OWN = readlinkSync("/proc/self/ns/net");
const children: ChildProcess[] = [];

function run(command: string, ...args: string[]): string {
  const done = spawnSync(command, args, { encoding: "utf8", timeout: 20_000 });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.stderr}${done.stdout}`);
  return done.stdout;
}
const inside = (netns: string, ...command: string[]) => run("ip", "netns", "exec", netns, ...command);

interface Answer {
  bridge: { index: number; gateway: string; firewallInstalled: boolean; forwardingEnabled: boolean };
  microseconds: number;
  published: unknown[];
  error?: string;
  held?: { fd: number; hostPort: number };
}
const host = (task: unknown): Answer =>
  JSON.parse(inside(HOST, process.execPath, DRIVER, JSON.stringify(task), OWN)) as Answer;

/** Answers every TCP connection and datagram with its peer's address. */
const SERVER = `
import socket, sys, threading
address, port = sys.argv[1], int(sys.argv[2])
t = socket.socket(); t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); t.bind((address, port)); t.listen(64)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind((address, port))
def udp():
    while True:
        _, peer = u.recvfrom(100); u.sendto(peer[0].encode(), peer)
threading.Thread(target=udp, daemon=True).start()
print("ready", flush=True)
while True:
    c, peer = t.accept(); c.sendall(peer[0].encode()); c.close()
`;
const CLIENT = `
import socket, sys
kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM); s.settimeout(0.7)
try:
    s.connect((address, port))
    if kind == "udp": s.send(b"x")
    print(s.recv(100).decode() or "closed")
except Exception as e: print("failed", type(e).__name__)
`;

async function serve(netns: string, address: string, port: number): Promise<void> {
  const child = spawn(
    "ip",
    ["netns", "exec", netns, "/usr/bin/python3", "-c", SERVER, address, String(port)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  children.push(child);
  await new Promise((resolve) => child.stdout?.once("data", resolve));
}
/** The address the server saw, or "failed …". */
function dial(netns: string, address: string, port: number, kind = "tcp"): string {
  return inside(netns, "/usr/bin/python3", "-c", CLIENT, kind, address, String(port)).trim();
}
function removeNamespaces(): void {
  for (const netns of [...ALL, `${prefix}-new`, `${prefix}-two`, `${prefix}-used`])
    spawnSync("ip", ["netns", "del", netns]);
}

const web = {
  protocol: "tcp",
  hostIp: "0.0.0.0",
  hostPort: 8080,
  containerIp: "172.30.0.2",
  containerPort: 80,
};
const dns = { ...web, protocol: "udp", hostPort: 5353 };
const local = { ...web, hostIp: "127.0.0.1", hostPort: 9090 };
const localDns = { ...dns, hostIp: "127.0.0.1", hostPort: 9053 };
const onLan = { ...web, hostIp: "10.77.0.1", hostPort: 7070 };

describe.skipIf(!ROOT)("a bridge network", () => {
  let first: Answer;

  beforeAll(async () => {
    for (const netns of ALL) {
      run("ip", "netns", "add", netns);
      if (netns === HOST || netns === LAN) inside(netns, "ip", "link", "set", "lo", "up");
    }
    run("ip", "-n", HOST, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", LAN);
    inside(HOST, "ip", "addr", "add", "10.77.0.1/24", "dev", "eth0");
    inside(HOST, "ip", "link", "set", "eth0", "up");
    inside(LAN, "ip", "addr", "add", "10.77.0.2/24", "dev", "eth0");
    inside(LAN, "ip", "link", "set", "eth0", "up");
    // The neighbour knows where the containers are.
    for (const subnet of ["172.30.0.0/16", "172.29.0.0/16"]) {
      inside(LAN, "ip", "route", "add", subnet, "via", "10.77.0.1");
    }
    first = host({
      bridge: { name: "bocker0" },
      attach: [
        { netns: C1, ip: "172.30.0.2" },
        { netns: C2, ip: "172.30.0.3" },
      ],
      publish: [web, dns, local, localDns, onLan],
    });
    host({ bridge: { name: "br-0123456789ab" }, attach: [{ netns: C3, ip: "172.29.0.2" }] });
    await serve(C1, "0.0.0.0", 80);
    await serve(C1, "0.0.0.0", 81);
    await serve(LAN, "0.0.0.0", 7000);
    await serve(HOST, "127.0.0.1", 6000);
  }, 30_000);

  afterAll(() => {
    for (const child of children) child.kill("SIGKILL");
    removeNamespaces();
  });

  test("the kernel's table is the one the text describes", () => {
    expect(first.bridge.gateway).toBe("172.30.0.1");
    expect(first.bridge.firewallInstalled).toBe(true);
    expect(first.published).toHaveLength(5);
    if (spawnSync("nft", ["-v"]).status !== 0) {
      console.warn("SKIPPED: no nft(8) to list the table");
      return;
    }
    const plain = (text: string) =>
      text
        .replace(/elements = \{[^}]*\}/g, "")
        .split("\n")
        .map((line) => line.trim().replace(/;/g, ""))
        .filter((line) => line !== "")
        .map((line) => line.replace(/priority \S+/, "priority"))
        .filter((line) => !/^(set|map|type|flags|\})/.test(line));
    const wanted = plain(firewallText()).filter((line) => !line.includes("{ type"));
    expect(plain(inside(HOST, "nft", "list", "table", "ip", "bocker"))).toEqual(wanted);
  });

  test.each(["tcp", "udp"])("a port published everywhere: %s", (kind) => {
    const port = kind === "tcp" ? 8080 : 5353;
    expect(dial(HOST, "127.0.0.1", port, kind)).toBe("172.30.0.1");
    expect(dial(HOST, "10.77.0.1", port, kind)).not.toContain("failed");
    expect(dial(LAN, "10.77.0.1", port, kind)).toBe("10.77.0.2");
    expect(dial(C2, "10.77.0.1", port, kind)).toBe("172.30.0.1");
    expect(dial(C2, "172.30.0.1", port, kind)).toBe("172.30.0.1");
    expect(dial(C3, "10.77.0.1", port, kind)).not.toContain("failed");
    expect(dial(C1, "10.77.0.1", port, kind)).not.toContain("failed");
  });

  test.each(["0", "1"])(
    "a container reaches itself by the host's address, bridge-nf-call-iptables=%s",
    (value) => {
      const setting = "/proc/sys/net/bridge/bridge-nf-call-iptables";
      inside(HOST, "sh", "-c", `[ ! -e ${setting} ] || echo ${value} > ${setting}`);
      expect(dial(C1, "10.77.0.1", 8080)).not.toContain("failed");
      expect(dial(C1, "172.30.0.1", 5353, "udp")).not.toContain("failed");
      expect(dial(C2, "10.77.0.1", 8080)).not.toContain("failed");
      expect(dial(C2, "172.30.0.2", 81)).toBe("172.30.0.3");
    },
  );

  test.each(["tcp", "udp"])("a port published on 127.0.0.1 is the host's alone: %s", (kind) => {
    const port = kind === "tcp" ? 9090 : 9053;
    expect(dial(HOST, "127.0.0.1", port, kind)).toBe("172.30.0.1");
    for (const [from, to] of [
      [LAN, "10.77.0.1"],
      [C2, "10.77.0.1"],
      [C2, "172.30.0.1"],
      [HOST, "10.77.0.1"],
    ] as const) {
      expect(dial(from, to, port, kind)).toContain("failed");
    }
  });

  test("a port published on one address", () => {
    expect(dial(LAN, "10.77.0.1", 7070)).toBe("10.77.0.2");
    expect(dial(HOST, "10.77.0.1", 7070)).not.toContain("failed");
    expect(dial(HOST, "127.0.0.1", 7070)).toContain("failed");
    expect(dial(C2, "172.30.0.1", 7070)).toContain("failed");
  });

  test("no neighbour routes straight to a container, published port or not", () => {
    for (const port of [80, 81]) expect(dial(LAN, "172.30.0.2", port)).toContain("failed");
    expect(dial(LAN, "172.30.0.2", 80, "udp")).toContain("failed");
    expect(dial(HOST, "172.30.0.2", 81)).toBe("172.30.0.1");
    expect(dial(C2, "172.30.0.2", 81)).toBe("172.30.0.3");
  });

  test("the world sees the host's address", () => {
    expect(dial(C1, "10.77.0.2", 7000)).toBe("10.77.0.1");
    expect(dial(C1, "10.77.0.2", 7000, "udp")).toBe("10.77.0.1");
  });

  test("networks do not reach each other", () => {
    expect(dial(C3, "172.30.0.2", 81)).toContain("failed");
    expect(dial(C2, "172.29.0.2", 81)).toContain("failed");
  });

  test("nobody reaches the host's loopback, even with routes made for it", () => {
    inside(HOST, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet");
    for (const [netns, gateway, device] of [
      [LAN, "10.77.0.1", "eth0"],
      [C2, "172.30.0.1", "eth0"],
    ] as const) {
      inside(netns, "sh", "-c", `echo 1 > /proc/sys/net/ipv4/conf/${device}/route_localnet`);
      inside(netns, "ip", "addr", "del", "127.0.0.1/8", "dev", "lo");
      inside(netns, "ip", "route", "add", "127.0.0.1/32", "via", gateway, "dev", device);
      for (const port of [9090, 8080]) expect(dial(netns, "127.0.0.1", port)).toContain("failed");
    }
    expect(dial(C2, "127.0.0.1", 6000)).toContain("failed");
    inside(HOST, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/eth0/route_localnet");
  });

  test("no IPv6 anywhere, and only what was asked for in the container", () => {
    expect(inside(C1, "ip", "-6", "addr")).toBe("");
    expect(inside(HOST, "ip", "-6", "addr", "show", "dev", "bocker0")).toBe("");
    const links = inside(C1, "ip", "-br", "link").trim().split("\n");
    expect(links.map((line) => line.split(/[@\s]/)[0])).toEqual(["lo", "eth0"]);
    expect(inside(C1, "cat", "/sys/class/net/eth0/address").trim()).toBe("02:42:ac:1e:00:02");
  });

  test("a held port excludes others, and the words are Docker's", () => {
    const ask = (hostPortFirst: number, hostPortLast: number, protocol = "tcp") =>
      host({ hold: { protocol, containerPort: 80, hostIp: "0.0.0.0", hostPortFirst, hostPortLast } });
    expect(ask(6000, 6000).error).toContain(
      "failed to bind host port for 0.0.0.0:6000:172.30.0.2:80/tcp: address already in use",
    );
    expect(ask(6000, 6001).held?.hostPort).toBe(6001);
    expect(ask(0, 0).held?.hostPort).toBeGreaterThan(1023);
    expect(ask(6000, 6000, "udp").error).toContain("address already in use");
    const elsewhere = {
      protocol: "tcp",
      containerPort: 80,
      hostIp: "9.9.9.9",
      hostPortFirst: 80,
      hostPortLast: 80,
    };
    expect(host({ hold: elsewhere }).error).toContain("cannot assign requested address");
  });

  test("a port published twice is EEXIST; unpublished it is gone", () => {
    expect(() => host({ publish: [web] })).toThrow(/EEXIST/);
    host({ unpublish: [web] });
    expect(dial(LAN, "10.77.0.1", 8080)).toContain("failed");
    host({ publish: [web] });
    expect(dial(LAN, "10.77.0.1", 8080)).toBe("10.77.0.2");
  });

  test("what is complete stays as it is; a flushed table comes back", () => {
    const again = host({ bridge: { name: "bocker0" }, repeat: 200 });
    expect(again.bridge).toMatchObject({ index: first.bridge.index, firewallInstalled: false });
    console.log(`ensureBridge, all there: ${again.microseconds.toFixed(0)} us`);
    inside(HOST, "sh", "-c", "nft flush ruleset 2>/dev/null || true");
    const back = host({ bridge: { name: "bocker0" }, publish: [web, local] });
    if (back.bridge.firewallInstalled) expect(back.published).toHaveLength(2);
    expect(dial(LAN, "10.77.0.1", 8080)).toBe("10.77.0.2");
    expect(dial(LAN, "172.30.0.2", 81)).toContain("failed");
  });

  test("the first packet of a new container is not lost", () => {
    const netns = `${prefix}-new`;
    const slow: number[] = [];
    for (let i = 0; i < 10; i++) {
      run("ip", "netns", "add", netns);
      host({ bridge: { name: "bocker0" }, attach: [{ netns, ip: `172.30.1.${i + 1}` }] });
      const start = performance.now();
      expect(dial(netns, "172.30.0.2", 81)).toBe(`172.30.1.${i + 1}`);
      if (performance.now() - start > 600) slow.push(i);
      run("ip", "netns", "del", netns);
    }
    expect(slow).toEqual([]);
  }, 30_000);

  test.each([1, 2, 3, 4, 5, 6])(
    "engines that start at once make one bridge, attempt %d",
    async () => {
      const netns = `${prefix}-two`;
      run("ip", "netns", "add", netns);
      try {
        const start = () =>
          new Promise<Answer>((resolve, reject) => {
            const task = JSON.stringify({ bridge: { name: "bocker0" } });
            const child = spawn("ip", ["netns", "exec", netns, process.execPath, DRIVER, task, OWN]);
            let out = "";
            let err = "";
            child.stdout.on("data", (data) => (out += data));
            child.stderr.on("data", (data) => (err += data));
            child.on("close", (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(err))));
          });
        const answers = await Promise.all(Array.from({ length: 6 }, start));
        expect(new Set(answers.map(({ bridge }) => `${bridge.index} ${bridge.gateway}`)).size).toBe(1);
        const addresses = inside(netns, "ip", "-4", "-br", "addr", "show", "dev", "bocker0");
        expect(addresses.match(/172\.30\.0\.1\/16/g)).toHaveLength(1);
      } finally {
        run("ip", "netns", "del", netns);
      }
    },
    30_000,
  );

  test("a subnet that the host uses is passed over", () => {
    const netns = `${prefix}-used`;
    run("ip", "netns", "add", netns);
    try {
      inside(netns, "ip", "link", "set", "lo", "up");
      inside(netns, "ip", "addr", "add", "172.30.9.9/24", "dev", "lo");
      inside(netns, "ip", "route", "add", "172.16.0.0/13", "dev", "lo");
      inside(netns, "ip", "route", "add", "172.28.0.0/15", "dev", "lo");
      const out = inside(
        netns,
        process.execPath,
        DRIVER,
        JSON.stringify({ bridge: { name: "bocker0" } }),
        OWN,
      );
      expect((JSON.parse(out) as Answer).bridge.gateway).toBe("10.198.0.1");
    } finally {
      run("ip", "netns", "del", netns);
    }
  });
});
