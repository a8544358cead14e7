/** Networks and published ports: from the sandbox, from other containers, from a neighbour. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readlinkSync } from "node:fs";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { type Running, script, withRunning } from "./running.ts";

/** Another machine on a link of the sandbox's. */
const NEIGHBOUR = `bocker-next-${randomBytes(4).toString("hex")}`;
const [OURS, THEIRS] = ["198.51.100.1", "198.51.100.2"];

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  const ip = (...words: string[]) => execFileSync("ip", words);
  ip("netns", "add", NEIGHBOUR);
  ip(
    "-n",
    sandbox.netns,
    "link",
    "add",
    "outside",
    "type",
    "veth",
    "peer",
    "name",
    "eth0",
    "netns",
    NEIGHBOUR,
  );
  ip("-n", sandbox.netns, "addr", "add", `${OURS}/24`, "dev", "outside");
  ip("-n", sandbox.netns, "link", "set", "outside", "up");
  ip("-n", NEIGHBOUR, "addr", "add", `${THEIRS}/24`, "dev", "eth0");
  ip("-n", NEIGHBOUR, "link", "set", "eth0", "up");
});
afterAll(() => {
  execFileSync("ip", ["netns", "del", NEIGHBOUR]);
  sandbox.remove();
});

/** Answers every connection to `port` with `text`. */
function server(text: string, port: number, ...options: string[]): string[] {
  return ["sh", "-c", `while :; do echo ${text} | nc ${options.join(" ")} -l -p ${port} >/dev/null; done`];
}

/** What a server answers, asked from a network namespace; "" when nobody does. */
function ask(netns: string, address: string, port: number): string {
  for (let attempt = 0; attempt < 40; attempt++) {
    const words = ["netns", "exec", netns, "busybox", "nc", "-w", "1", address, String(port)];
    const { stdout } = spawnSync("ip", words, { encoding: "utf8", input: "" });
    if (stdout !== "") return stdout.trim();
    Bun.sleepSync(10);
  }
  return "";
}

function addressOf({ id }: Running): string {
  return sandbox.ok(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", id]);
}

describe("--network", () => {
  test("bridge: an address, a gateway that answers, a name in /etc/hosts", () => {
    const asked =
      "ip -4 -o addr show eth0 | awk '{print $4}'; ip route; ping -c 1 -W 1 172.30.0.1 >/dev/null && echo gateway; cat /etc/hosts";
    const output = script(sandbox, ["--network", "bridge", "-h", "named"], asked);
    expect(output).toMatch(/^172\.30\.\d+\.\d+\/\d+$/m);
    expect(output).toContain("default via 172.30.0.1 dev eth0");
    expect(output).toContain("gateway");
    expect(output).toMatch(/^172\.30\.\d+\.\d+\tnamed$/m);
    expect(output).toMatch(/^127\.0\.0\.1\tlocalhost$/m);
  });

  test("host: the caller's namespace", () =>
    withRunning(sandbox, ["--network", "host"], ({ pid }) => {
      const own = sandbox.execute(["readlink", "/proc/self/ns/net"]).stdout.trim();
      expect(readlinkSync(`/proc/${pid}/ns/net`)).toBe(own);
    }));

  test("none: loopback alone, and up", () => {
    expect(
      script(sandbox, [], "ip -o link | wc -l; ip -o -4 addr show lo | awk '{print $4}'; ip route"),
    ).toBe("1\n127.0.0.1/8");
  });

  test("container:X: the same namespace, hosts and name", () =>
    withRunning(sandbox, ["--network", "bridge", "--name", "owner", "-h", "shared"], ({ id, pid }) => {
      withRunning(sandbox, ["--network", "container:owner"], (other) => {
        expect(readlinkSync(`/proc/${other.pid}/ns/net`)).toBe(readlinkSync(`/proc/${pid}/ns/net`));
        const asked = ["sh", "-c", "hostname; cat /etc/hosts /etc/resolv.conf"];
        expect(sandbox.ok(["exec", other.id, ...asked])).toBe(sandbox.ok(["exec", id, ...asked]));
      });
      const { stderr } = sandbox.bocker(["run", "--network", "container:owner", "-p", "80:80", IMAGE]);
      expect(stderr).toContain("conflicting options: port publishing and the container type network mode");
    }));

  test("container:X of one that does not run or exist", () => {
    expect(sandbox.bocker(["run", "--rm", "--network", "container:nobody", IMAGE, "true"]).stderr).toContain(
      "No such container: nobody",
    );
  });
});

describe("published ports", () => {
  test("tcp: from loopback, by our address, from a neighbour, from another container", () =>
    withRunning(
      sandbox,
      ["-p", "18080:80"],
      (web) => {
        expect(ask(sandbox.netns, "127.0.0.1", 18080)).toBe("hello");
        expect(ask(sandbox.netns, OURS, 18080)).toBe("hello");
        expect(ask(NEIGHBOUR, OURS, 18080)).toBe("hello");
        expect(sandbox.ok(["ps", "--format", "{{.Ports}}"])).toBe("0.0.0.0:18080->80/tcp");
        withRunning(sandbox, ["--network", "bridge"], ({ id }) => {
          const from = (address: string, port: number) =>
            sandbox.ok(["exec", id, "sh", "-c", `nc -w 1 ${address} ${port} </dev/null`]);
          expect(from(addressOf(web), 80)).toBe("hello");
          expect(from(OURS, 18080)).toBe("hello");
          expect(from("172.30.0.1", 18080)).toBe("hello");
        });
      },
      server("hello", 80),
    ));

  test("by an address: there alone", () =>
    withRunning(
      sandbox,
      ["-p", "127.0.0.1:18081:80"],
      () => {
        expect(ask(sandbox.netns, "127.0.0.1", 18081)).toBe("local");
        const words = ["netns", "exec", NEIGHBOUR, "busybox", "nc", "-w", "1", OURS, "18081"];
        expect(spawnSync("ip", words, { encoding: "utf8", input: "" }).stdout).toBe("");
      },
      server("local", 80),
    ));

  test("ranges, and -P", () => {
    withRunning(
      sandbox,
      ["-p", "18090-18091:90-91"],
      () =>
        expect([ask(sandbox.netns, "127.0.0.1", 18090), ask(sandbox.netns, "127.0.0.1", 18091)]).toEqual([
          "a",
          "b",
        ]),
      ["sh", "-c", `${server("a", 90)[2]} & ${server("b", 91)[2]}`],
    );
    const id = sandbox.ok(["run", "-d", "-P", "--expose", "80", IMAGE, ...server("random", 80)]);
    const port = sandbox.ok([
      "inspect",
      "-f",
      '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}',
      id,
    ]);
    expect(ask(sandbox.netns, "127.0.0.1", Number(port))).toBe("random");
    sandbox.ok(["rm", "-f", id]);
  });

  test("udp, there and back", () => {
    const socket = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);";
    const echo = `${socket} s.bind(('0.0.0.0', 53)); print('bound', flush=True)\nwhile True: s.sendto(*s.recvfrom(99))`;
    const id = sandbox.ok(["run", "-d", "-p", "18053:53/udp", "host", "python3", "-c", echo]);
    while (sandbox.ok(["logs", id]) !== "bound") Bun.sleepSync(10);
    for (const [netns, address] of [
      [sandbox.netns, "127.0.0.1"],
      [NEIGHBOUR, OURS],
    ] as const) {
      const ask = `${socket} s.settimeout(5); s.sendto(b'packet', ('${address}', 18053)); print(s.recv(99).decode())`;
      const words = ["netns", "exec", netns, "python3", "-c", ask];
      expect(spawnSync("ip", words, { encoding: "utf8" }).stdout).toBe("packet\n");
    }
    sandbox.ok(["rm", "-f", id]);
  });

  test("two runs in a row, and a port that is taken", () => {
    for (let times = 0; times < 5; times++)
      expect(sandbox.ok(["run", "--rm", "-p", "18085:80", IMAGE, "echo", "ran"])).toBe("ran");
    withRunning(sandbox, ["-p", "18085:80"], () => {
      const { code, stderr } = sandbox.bocker(["run", "--rm", "-p", "18085:80", IMAGE, "true"]);
      expect(code).toBe(125);
      expect(stderr).toMatch(/18085.*(already allocated|in use)/);
    });
    expect(sandbox.ok(["run", "--rm", "-p", "18085:80", IMAGE, "echo", "free"])).toBe("free");
  });
});

describe("/etc files", () => {
  test("--add-host, host-gateway", () => {
    const hosts = script(
      sandbox,
      ["--network", "bridge", "--add-host", "a.example:10.9.8.7", "--add-host", "gw:host-gateway"],
      "cat /etc/hosts",
    );
    expect(hosts).toMatch(/^10\.9\.8\.7\ta\.example$/m);
    expect(hosts).toMatch(/^172\.30\.0\.1\tgw$/m);
    expect(sandbox.bocker(["run", "--rm", "--add-host", "a:not-an-address", IMAGE, "true"]).code).toBe(125);
  });

  test("--dns, --dns-search, --dns-option", () => {
    const options = [
      "--network",
      "bridge",
      "--dns",
      "192.0.2.53",
      "--dns-search",
      "b.example",
      "--dns-option",
      "ndots:3",
    ];
    const lines = script(sandbox, options, "cat /etc/resolv.conf").split("\n");
    expect(lines).toEqual(
      expect.arrayContaining(["nameserver 192.0.2.53", "search b.example", "options ndots:3"]),
    );
    expect(lines.filter((line) => line.startsWith("nameserver"))).toHaveLength(1);
  });

  test("what the container writes into them is its own", () => {
    const first = script(
      sandbox,
      ["--network", "bridge"],
      "echo '1.2.3.4 mine' >> /etc/hosts; tail -n 1 /etc/hosts",
    );
    expect(first).toBe("1.2.3.4 mine");
    expect(script(sandbox, ["--network", "bridge"], "cat /etc/hosts")).not.toContain("mine");
  });
});

test("a network that bocker does not have yet is a clear error", () => {
  expect(sandbox.bocker(["run", "--network", "mine", IMAGE])).toMatchObject({
    code: 125,
    stderr: expect.stringContaining("network mine not found"),
  });
});
