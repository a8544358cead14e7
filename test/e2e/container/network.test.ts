/** A container's network: the bridge, published ports, names, and the other modes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import { readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import { BINARY, type Sandbox } from "../sandbox.ts";
import { until, untilSync } from "../wait.ts";

let sandbox: Sandbox;
let server: string;
let address: string;
const NEIGHBOUR = `bk-near-${process.pid}`;

const inside = (...words: string[]) => sandbox.execute(words);
/** What answers at a URL; "" when nothing does. */
const get = (url: string) =>
  inside("sh", "-c", `busybox timeout 3 busybox wget -q -O - ${url} || true`).stdout;
const run = (...words: string[]) => sandbox.ok(["run", "--rm", ...words]);
const inspect = (format: string, name: string) => sandbox.ok(["inspect", "-f", format, name]);
const SERVE =
  'mkdir /www; for port in 80 81 90 91; do echo "port $port" > /www/index.html; mkdir /www$port; echo "port $port" > /www$port/index.html; httpd -p $port -h /www$port; done; sleep 1000';

beforeAll(() => {
  sandbox = busyboxSandbox();
  server = sandbox.ok([
    ..."run -d --name server -p 8080:80 -p 127.0.0.1:8081:81 -p 9000-9001:90-91 --expose 99".split(" "),
    ...["busybox", "sh", "-c", SERVE],
  ]);
  address = inspect("{{.NetworkSettings.IPAddress}}", "server");
  untilSync(() => get("http://127.0.0.1:9001/") !== "");
  // A machine beside this one, on a wire of its own.
  const ip = (...words: string[]) => execFileSync("ip", words);
  ip("netns", "add", NEIGHBOUR);
  ip("-n", sandbox.netns, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", NEIGHBOUR);
  ip("-n", sandbox.netns, "addr", "add", "10.99.0.1/24", "dev", "wire");
  ip("-n", NEIGHBOUR, "addr", "add", "10.99.0.2/24", "dev", "wire");
  for (const name of [sandbox.netns, NEIGHBOUR]) ip("-n", name, "link", "set", "wire", "up");
});
afterAll(() => {
  for (const id of sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean)) sandbox.bocker(["rm", "-f", id]);
  execFileSync("ip", ["netns", "del", NEIGHBOUR]);
  sandbox.remove();
});

test("an address of its own, a way out, and of IPv6 nothing but ::1", () => {
  const text = run(
    "busybox",
    "sh",
    "-c",
    "ip -o -4 addr; ip route; ip -o -6 addr; cat /sys/class/net/eth0/address",
  );
  const gateway = inspect("{{.NetworkSettings.Gateway}}", "server");
  expect(text).toMatch(/: lo +inet 127\.0\.0\.1\/8/);
  expect(text).toMatch(/: eth0 +inet \d+\.\d+\.\d+\.\d+\/16/);
  expect(text).toContain(`default via ${gateway} dev eth0`);
  expect(text.match(/\S+ +inet6 \S+/g)).toEqual([expect.stringMatching(/^lo +inet6 ::1\/128$/)]);
  // /etc/hosts calls it localhost, so programs listen there.
  const own6 = "httpd -p '[::1]:8090' -h /etc && wget -q -O - 'http://[::1]:8090/hostname'";
  expect(run("-h", "six", "busybox", "sh", "-c", own6)).toBe("six");
  const [, own] = /eth0 +inet ([\d.]+)/.exec(text)!;
  const mac = own!
    .split(".")
    .map((part) => Number(part).toString(16).padStart(2, "0"))
    .join(":");
  expect(text).toContain(`02:42:${mac}`);
});

test("published ports answer on the host, in other containers, and beside it", () => {
  expect(get("http://127.0.0.1:8080/")).toBe("port 80\n");
  expect(get("http://127.0.0.1:8081/")).toBe("port 81\n");
  expect(get("http://127.0.0.1:9000/") + get("http://127.0.0.1:9001/")).toBe("port 90\nport 91\n");
  expect(get(`http://${address}/`)).toBe("port 80\n");
  const fetch = (url: string) => run("busybox", "timeout", "5", "wget", "-q", "-O", "-", url);
  expect(fetch(`http://${address}/`)).toBe("port 80");
  expect(fetch(`http://${inspect("{{.NetworkSettings.Gateway}}", "server")}:8080/`)).toBe("port 80");
  // Of itself, too: out to the host's address and back.
  expect(
    sandbox.ok(["exec", "server", "timeout", "5", "wget", "-q", "-O", "-", "http://10.99.0.1:8080/"]),
  ).toBe("port 80");
  const near = (url: string) =>
    execFileSync(
      "sh",
      [
        "-c",
        `nsenter --net=/run/netns/${NEIGHBOUR} busybox timeout 2 busybox wget -q -O - ${url} || echo refused`,
      ],
      { encoding: "utf8" },
    );
  expect(near("http://10.99.0.1:8080/")).toBe("port 80\n");
  // Published for 127.0.0.1 only, and not published at all.
  expect(near("http://10.99.0.1:8081/")).toEndWith("refused\n");
});

const ECHO = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 53))
while True:
    data, peer = s.recvfrom(99)
    s.sendto(b"heard " + data, peer)
`;
const ASK = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.2)
for _ in range(50):
    s.sendto(b"datagram", ("127.0.0.1", 8053))
    try:
        print(s.recv(99).decode())
        break
    except OSError:
        pass
`;

test("datagrams, too", () => {
  const id = sandbox.ok(["run", "-d", "-p", "8053:53/udp", "host", "python3", "-c", ECHO]);
  expect(inside("python3", "-c", ASK).stdout).toBe("heard datagram\n");
  sandbox.ok(["rm", "-f", id]);
});

/** Sends from one port, ten times a second, and prints who answers, whenever that is another one than before. */
const GO_ON_ASKING = `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 8100))
s.settimeout(0.1)
heard = None
while True:
    try:
        s.sendto(b"datagram", ("127.0.0.1", 8054))
        answer = s.recv(99).decode()
        if answer != heard:
            heard = answer
            print(answer, flush=True)
    except OSError:
        time.sleep(0.1)
`;

test("a client that has sent since before the container was there is heard, and by its successor", async () => {
  const echo = (name: string) => ECHO.replace('b"heard "', `b"${name} heard "`);
  const start = (name: string) =>
    sandbox.ok(["run", "-d", "--name", name, "-p", "8054:53/udp", "host", "python3", "-c", echo(name)]);
  const [program, ...words] = sandbox.inside(["python3", "-u", "-c", GO_ON_ASKING]);
  const client = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let said = "";
    client.stdout.on("data", (bytes) => {
      said += String(bytes);
    });
    const hears = async (name: string) => {
      await until(() => said.includes(`${name} heard datagram`));
    };
    await Bun.sleep(300);
    start("first");
    await hears("first");
    sandbox.ok(["rm", "-f", "first"]);
    await Bun.sleep(300);
    start("second");
    await hears("second");
  } finally {
    client.kill("SIGKILL");
    await new Promise((resolve) => client.on("close", resolve));
  }
  sandbox.ok(["rm", "-f", "second"]);
}, 60_000);

const TRACKED = `
import { dumpConnections, parseConnection } from ${JSON.stringify(join(import.meta.dirname, "../../../src/os/netlink/conntrack.ts"))};
import { NetlinkSocket } from ${JSON.stringify(join(import.meta.dirname, "../../../src/os/netlink/socket.ts"))};
const messages = new NetlinkSocket("nftables").query(dumpConnections(), "list");
for (const entry of messages.map(parseConnection)) if (entry?.protocol === 17) console.log(entry.destination, entry.destinationPort);
`;

test("only what was sent to this machine's own port is forgotten", () => {
  for (const words of [
    "link add far type veth peer name farther",
    "addr add 10.98.0.1/24 dev far",
    "link set far up",
  ])
    sandbox.execute(["ip", ...words.split(" ")]);
  const send = `import socket
for to in [("10.98.0.77", 8055), ("127.0.0.1", 8055), ("10.98.0.1", 8055), ("127.0.0.1", 8056)]:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", to)`;
  const tracked = () => {
    const { stdout } = inside(process.execPath, "-e", TRACKED);
    return stdout
      .split("\n")
      .filter((line) => /805[56]$/.test(line))
      .sort();
  };
  expect(inside("python3", "-c", send).stderr).toBe("");
  expect(tracked()).toEqual(["10.98.0.1 8055", "10.98.0.77 8055", "127.0.0.1 8055", "127.0.0.1 8056"]);
  run("-p", "127.0.0.1:8055:53/udp", "busybox", "true");
  expect(tracked()).toEqual(["10.98.0.1 8055", "10.98.0.77 8055", "127.0.0.1 8056"]);
  run("-p", "8055:53/udp", "busybox", "true");
  expect(tracked()).toEqual(["10.98.0.77 8055", "127.0.0.1 8056"]);
  sandbox.execute(["ip", "link", "del", "far"]);
});

test("ps and inspect tell where", () => {
  expect(sandbox.ok(["ps", "--format", "{{.Ports}}", "-f", "name=server"])).toBe(
    "99/tcp, 0.0.0.0:8080->80/tcp, 127.0.0.1:8081->81/tcp, 0.0.0.0:9000->90/tcp, 0.0.0.0:9001->91/tcp",
  );
  expect(inspect('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "server")).toBe("8080");
});

test("port says where", () => {
  expect(sandbox.ok(["port", "server"]).split("\n")).toEqual([
    "80/tcp -> 0.0.0.0:8080",
    "81/tcp -> 127.0.0.1:8081",
    "90/tcp -> 0.0.0.0:9000",
    "91/tcp -> 0.0.0.0:9001",
  ]);
  expect(sandbox.ok(["container", "port", "server", "81"])).toBe("127.0.0.1:8081");
  expect(sandbox.ok(["port", "server", "90/tcp"])).toBe("0.0.0.0:9000");
  const refused = (...words: string[]) => sandbox.bocker(["port", ...words]);
  const none = { code: 1, stdout: "", stderr: "Error: no public port '80/udp' published for server\n" };
  expect(refused("server", "80/udp")).toEqual(none);
  expect(refused("server", "99").stderr).toBe("Error: no public port '99/tcp' published for server\n");
  expect(refused("server", "x").stderr).toBe("Error: invalid port: x\n");
  expect(refused("server", "80-81").stderr).toBe("Error: invalid port: 80-81\n");
  expect(refused("server", "80/icmp").stderr).toBe("Error: invalid proto: icmp\n");
  expect(refused("nobody").stderr).toBe("Error: No such container: nobody\n");
  sandbox.ok(["create", "--name", "idle", "-p", "8099:80", "busybox", "true"]);
  expect(sandbox.ok(["port", "idle"])).toBe("");
  sandbox.ok(["rm", "idle"]);
});

test("a port belongs to one container, and is free when that has ended", () => {
  const taken = sandbox.bocker(["run", "--rm", "-p", "8080:80", "busybox", "true"]);
  expect(taken.code).toBe(125);
  expect(taken.stderr).toContain("Bind for 0.0.0.0:8080 failed: port is already allocated");
  for (let i = 0; i < 3; i++) run("-p", "8090:80", "busybox", "true");
  const holder = sandbox.ok(["run", "-d", "--network", "host", "busybox", "nc", "-l", "-p", "8091"]);
  untilSync(() => inside("ss", "-ltn").stdout.includes(":8091"));
  expect(sandbox.bocker(["run", "--rm", "-p", "8091:80", "busybox", "true"]).stderr).toContain(
    "address already in use",
  );
  sandbox.ok(["rm", "-f", holder]);
});

test("-P publishes what is exposed, -p without a host port on a free one", () => {
  const id = sandbox.ok(["run", "-d", "-P", "--expose", "80", "-p", "81", "busybox", "sleep", "1000"]);
  expect(sandbox.ok(["ps", "--format", "{{.Ports}}", "-f", `id=${id}`])).toMatch(
    /^0\.0\.0\.0:\d+->81\/tcp, 0\.0\.0\.0:\d+->80\/tcp$/,
  );
  sandbox.ok(["rm", "-f", id]);
});

test("none, host and another container's network", () => {
  expect(
    run(
      "--network",
      "none",
      "busybox",
      "sh",
      "-c",
      "ip -o link | wc -l; ip -o addr show lo | grep -c 127.0.0.1",
    ),
  ).toBe("1\n1");
  const host = sandbox.ok(["run", "-d", "--network", "host", "busybox", "sleep", "1000"]);
  const pid = inspect("{{.State.Pid}}", host);
  expect(readlinkSync(`/proc/${pid}/ns/net`)).toBe(inside("readlink", "/proc/self/ns/net").stdout.trim());
  sandbox.ok(["rm", "-f", host]);
  const shared = run(
    "--network",
    "container:server",
    "busybox",
    "sh",
    "-c",
    "wget -q -O - http://127.0.0.1/; hostname; cat /etc/hostname; tail -n 1 /etc/hosts",
  );
  const name = server.slice(0, 12);
  expect(shared).toBe(`port 80\n${name}\n${name}\n${address}\t${name}`);
  expect(sandbox.bocker(["run", "--rm", "--network", "container:nope", "busybox", "true"]).stderr).toContain(
    "No such container: nope",
  );
  expect(sandbox.bocker(["run", "--rm", "--network", "mine", "busybox", "true"]).stderr).toContain(
    "not supported yet",
  );
});

test("names and nameservers are written as Docker writes them", () => {
  const text = run(
    ..."-h box --domainname example.test --add-host one:1.2.3.4 --add-host gate:host-gateway --dns 10.9.8.7 --dns-search a.test --dns-option ndots:2".split(
      " ",
    ),
    ...[
      "busybox",
      "sh",
      "-c",
      "cat /etc/hosts; echo --; cat /etc/resolv.conf; echo --; cat /etc/hostname; hostname; cat /proc/sys/kernel/domainname",
    ],
  );
  const [hosts, resolv, names] = text.split("--\n");
  const own = /^([\d.]+)\tbox\.example\.test box$/m.exec(hosts!);
  expect(own).not.toBeNull();
  expect(hosts).toStartWith("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
  expect(hosts).toContain("1.2.3.4\tone\n");
  expect(hosts).toContain(`${inspect("{{.NetworkSettings.Gateway}}", "server")}\tgate\n`);
  expect(resolv!.split("\n").filter((line) => !line.startsWith("#"))).toEqual([
    "nameserver 10.9.8.7",
    "search a.test",
    "options ndots:2",
    "",
  ]);
  expect(names).toBe("box\nbox\nexample.test");
});

test("flushed rules come back with the next container, for all that run", () => {
  inside("nft", "flush", "ruleset");
  expect(get("http://127.0.0.1:8080/")).toBe("");
  run("busybox", "true");
  expect(get("http://127.0.0.1:8080/")).toBe("port 80\n");
});

test("bad ports and hosts are refused before anything is made", () => {
  const refused = (...words: string[]) => sandbox.bocker(["create", ...words, "busybox", "true"]);
  for (const words of [
    ["-p", "99999:80"],
    ["-p", "a:80"],
    ["-p", "80:80/icmp"],
    ["-p", "1-3:1-2"],
    ["--add-host", "x"],
    ["--dns", "no-address"],
  ])
    expect([words, refused(...words).code]).toEqual([words, 125]);
  expect(sandbox.ok(["ps", "-aqf", "status=created"])).toBe("");
});

test("a free port of a range, a random one on one address, and one number for tcp and udp", () => {
  const ports = (name: string) => sandbox.ok(["ps", "--format", "{{.Ports}}", "-f", `name=${name}`]);
  const start = (name: string, ...words: string[]) =>
    sandbox.ok(["run", "-d", "--name", name, ...words, "busybox", "sleep", "1000"]);
  start("range-one", "-p", "9100-9101:91", "-p", "127.0.0.1::90");
  start("range-two", "-p", "9100-9101:91", "-p", "8080:53/udp");
  expect(ports("range-one")).toMatch(
    /^0\.0\.0\.0:9100->91\/tcp, 127\.0\.0\.1:[1-9]\d+->90\/tcp$|^127\.0\.0\.1:[1-9]\d+->90\/tcp, 0\.0\.0\.0:9100->91\/tcp$/,
  );
  expect(ports("range-two")).toContain("0.0.0.0:9101->91/tcp");
  expect(ports("range-two")).toContain("0.0.0.0:8080->53/udp");
  const full = sandbox.bocker(["run", "--rm", "-p", "9100-9101:91", "busybox", "true"]);
  expect([full.code, full.stderr]).toEqual([125, expect.stringContaining("port is already allocated")]);
  const twice = sandbox.bocker(["run", "--rm", "-p", "9200:80", "-p", "9200:81", "busybox", "true"]);
  expect([twice.code, twice.stderr]).toEqual([125, expect.stringContaining("address already in use")]);
  // What failed holds none of its ports.
  run("-p", "9200:80", "busybox", "true");
  sandbox.ok(["rm", "-f", "range-one", "range-two"]);
});

test("one address of the host means that address only", () => {
  const foreign = sandbox.bocker(["run", "--rm", "-p", "1.2.3.4:8500:80", "busybox", "true"]);
  expect([foreign.code, foreign.stderr]).toEqual([
    125,
    expect.stringContaining("cannot assign requested address"),
  ]);
  expect(sandbox.bocker(["run", "--rm", "-p", "127.0.0.1:8080:80", "busybox", "true"]).stderr).toContain(
    "Bind for 127.0.0.1:8080 failed: port is already allocated",
  );
});

test.each([
  [["--dns", "1.2.3.4"], "dns and the network mode"],
  [["--add-host", "a:1.2.3.4"], "custom host-to-IP mapping and the network mode"],
  [["-p", "80:80"], "port publishing and the container type network mode"],
  [["-P"], "port publishing and the container type network mode"],
  [["--expose", "80"], "port exposing and the container type network mode"],
  [["-h", "other"], "hostname and the network mode"],
])("%p does not go with another's network", (words, message) => {
  const { code, stderr } = sandbox.bocker([
    "run",
    "--rm",
    "--network",
    "container:server",
    ...words,
    "busybox",
    "true",
  ]);
  expect([code, stderr]).toEqual([125, expect.stringContaining(`conflicting options: ${message}`)]);
});

test("a client that tries from before the start on is refused or served, and never left waiting", () => {
  const retransmitted = () => {
    const [names = "", values = ""] = inside("grep", "^TcpExt:", "/proc/net/netstat").stdout.split("\n");
    return Number(values.split(" ")[names.split(" ").indexOf("TCPSynRetrans")]);
  };
  const before = retransmitted();
  expect(before).toBeNumber();
  // One that connects once a millisecond at least, until somebody answers.
  const client = join(sandbox.directory, "client.ts");
  writeFileSync(
    client,
    "for (;;) try { await (await fetch(process.argv[2]!, { keepalive: false })).text(); break; } catch { await Bun.sleep(0.3); }",
  );
  const attempt = `${process.execPath} ${client} http://127.0.0.1:8600/ & "$@"; wait`;
  for (let round = 0; round < 12; round++) {
    const words = ["run", "-d", "--name", "early", "-p", "8600:80", "busybox", "httpd", "-f", "-p", "80"];
    inside("sh", "-c", attempt, "sh", BINARY, ...words);
    sandbox.ok(["rm", "-f", "early"]);
  }
  // A SYN that nobody heard is sent again after a second.
  expect(retransmitted()).toBe(before);
});

/** Asks until it is answered; says when it was taken and not answered. */
const PATIENT = `
import socket, sys
while True:
    s = socket.socket(); s.settimeout(10)
    try:
        s.connect(("127.0.0.1", int(sys.argv[1]))); s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        if s.recv(100): break
    except (ConnectionRefusedError, ConnectionResetError): pass
    except TimeoutError: print("left waiting"); break
`;

test("nor one whose first packet is on its way when the port begins to lead to the container", () => {
  // Thousands of other rules between bocker's and the socket that holds the port: a packet takes a millisecond.
  const rules = Array.from(
    { length: 4000 },
    (_, at) => `ip daddr 127.0.0.1 tcp dport ${40_000 + at} counter`,
  );
  const slow = join(sandbox.directory, "slow.nft");
  writeFileSync(
    slow,
    `table ip slow { chain out { type filter hook output priority 0;\n${rules.join("\n")}\n}\n}\n`,
  );
  expect(inside("nft", "-f", slow)).toMatchObject({ code: 0 });
  const client = join(sandbox.directory, "client.py");
  writeFileSync(client, PATIENT);
  const attempt = `python3 ${client} 8601 & python3 ${client} 8601 & sleep 0.2; "$@" >&2; wait`;
  try {
    for (let round = 0; round < 12; round++) {
      const words = ["run", "-d", "--name", "early", "-p", "8601:80", "busybox", "httpd", "-f", "-p", "80"];
      expect([round, inside("sh", "-c", attempt, "sh", BINARY, ...words).stdout]).toEqual([round, ""]);
      sandbox.ok(["rm", "-f", "early"]);
    }
  } finally {
    inside("nft", "delete", "table", "ip", "slow");
  }
});

const BIND = `
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try: s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(1); print("bound")
except OSError as e: print(e.strerror)
`;
/** One connection, ended by the server: its port is in TIME_WAIT. */
const ENDED = `
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 8602)); s.listen(1)
c = socket.create_connection(("127.0.0.1", 8602)); p, _ = s.accept(); p.close(); c.recv(1); c.close()
`;

test("a published port is nobody else's, though nothing listens there; old connections are not in its way", () => {
  const bind = (host: string, port: number) =>
    inside("python3", "-c", BIND, host, String(port)).stdout.trim();
  expect(bind("127.0.0.1", 8602)).toBe("bound");
  inside("python3", "-c", ENDED);
  expect(inside("ss", "-Htan", "sport = :8602").stdout).toContain("TIME-WAIT");
  sandbox.ok(["run", "-d", "--name", "later", "-p", "8602:80", "busybox", "httpd", "-f", "-p", "80"]);
  expect(inside("ss", "-Htan", "sport = :8602").stdout).toContain("TIME-WAIT");
  for (const port of [8602, 8080])
    for (const host of ["0.0.0.0", "127.0.0.1", "10.99.0.1"])
      expect([port, host, bind(host, port)]).toEqual([port, host, "Address already in use"]);
  expect(sandbox.bocker(["run", "--rm", "-p", "8602:80", "busybox", "true"]).stderr).toContain(
    "Bind for 0.0.0.0:8602 failed: port is already allocated",
  );
  sandbox.ok(["rm", "-f", "later"]);
  expect(bind("127.0.0.1", 8602)).toBe("bound");
});
