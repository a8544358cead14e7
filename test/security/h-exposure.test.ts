/** Class H of docs/security.md: what other users and other machines reach of bocker and of its containers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, copyFileSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../e2e/busybox.ts";
import { script, tryScript, withRunning } from "../e2e/container/running.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { hostileImage, shell } from "./hostile.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  // The sandbox's own directory is nobody else's; as /var/lib is, it shall not be what protects.
  chmodSync(sandbox.directory, 0o755);
});
afterAll(() => sandbox.remove());

/** As a user without any right. */
const asNobody = (text: string) =>
  sandbox.execute(["setpriv", "--reuid=64321", "--regid=64321", "--clear-groups", "sh", "-c", text]);

test("H1 CVE-2021-41091 CVE-2021-41103 CVE-2024-25621 CVE-2025-4953: another user enters neither data nor run directory", () => {
  const image = hostileImage(sandbox, "setuid", (root) => {
    copyFileSync("/bin/busybox", join(root, "bin/own-su"));
    chmodSync(join(root, "bin/own-su"), 0o4755);
  });
  const id = sandbox.ok([
    "run",
    "-d",
    "--network",
    "none",
    "-v",
    "h1:/v",
    image,
    "sh",
    "-c",
    "echo logged; exec sleep 1000",
  ]);
  try {
    for (const path of [sandbox.data, sandbox.run]) {
      expect([path, (lstatSync(path).mode & 0o7777).toString(8)]).toEqual([path, "710"]);
      const { stdout } = asNobody(
        `find ${path} 2>/dev/null; ls ${path} ${path}/containers/${id} 2>/dev/null; cat ${path}/state.db 2>/dev/null`,
      );
      expect(stdout).toBe(`${path}\n`);
    }
    const layer = readdirSync(join(sandbox.data, "overlay")).map((name) =>
      join(sandbox.data, "overlay", name, "diff/bin/own-su"),
    );
    expect(asNobody(layer.map((path) => `${path} id`).join("; ")).stdout).toBe("");
  } finally {
    sandbox.ok(["rm", "-f", id]);
  }
});

test("H1 below: what is secret is nobody else's, whatever the mode of the directory above and the caller's umask", () => {
  const other = new URL(`file://${sandbox.directory}/umask`).pathname;
  const environment = `BOCKER_DATA=${other}/data BOCKER_RUN=${other}/run`;
  const { code, stderr } = shell(
    sandbox,
    `umask 0; mkdir ${other}; export ${environment}; $BOCKER import - x < /dev/null >/dev/null 2>&1; tar -C /bin -c busybox | $BOCKER import - box >/dev/null && $BOCKER run --name one --network none box /busybox echo hi`,
  );
  expect([code, stderr]).toEqual([0, ""]);
  const mode = (path: string) => (lstatSync(join(other, path)).mode & 0o7777).toString(8);
  expect([mode("data"), mode("run")]).toEqual(["710", "710"]);
  const open: string[] = [];
  for (const root of ["data", "run"])
    for (const path of readdirSync(join(other, root), { recursive: true, encoding: "utf8" })) {
      const stat = lstatSync(join(other, root, path));
      const shownInside = /^overlay\/\w+\/diff|\/upper|\/(hosts|hostname|resolv\.conf)$/.test(path);
      if (!stat.isSymbolicLink() && (stat.mode & 0o022) !== 0 && !shownInside) open.push(path);
      if (/\.log$|config\.json$|attach$/.test(path) && (stat.mode & 0o007) !== 0) open.push(path);
    }
  expect(open).toEqual([]);
  shell(sandbox, `export ${environment}; $BOCKER rm -f one`);
});

test("H2 CVE-2020-15257: no abstract socket, and a monitor's own is root's alone", () => {
  const before = readFileSync("/proc/net/unix", "utf8").match(/ @\S*bocker\S*/g) ?? [];
  expect(before).toEqual([]);
  withRunning(sandbox, [], ({ id }) => {
    expect(sandbox.execute(["cat", "/proc/net/unix"]).stdout).not.toMatch(/ @/);
    expect(tryScript(sandbox, ["--network", "host"], "cat /proc/net/unix").stdout).not.toMatch(/ @/);
    const socket = join(sandbox.run, "containers", id, "attach");
    const { mode, uid } = lstatSync(socket);
    expect([(mode & 0o777).toString(8), uid]).toEqual(["600", 0]);
    const connect = `import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect("${socket}"); print("connected")`;
    expect(
      asNobody(`python3 -c '${connect}' 2>&1 || /usr/bin/python3 -c '${connect}' 2>&1`).stdout,
    ).not.toContain("connected");
  });
});

test("H3 CVE-2020-13401 CVE-2020-10749 CVE-2024-32473: no IPv6 on either end, and no router is believed", () => {
  withRunning(sandbox, ["--network", "bridge"], ({ id }) => {
    const names = sandbox.execute(["ls", "/proc/sys/net/ipv6/conf"]).stdout.split("\n");
    const own = names.filter((name) => /^(bocker|veth|b[a-z]*0$)/.test(name) && name !== "");
    expect(own.length).toBeGreaterThanOrEqual(2);
    for (const name of own)
      expect([name, sandbox.execute(["cat", `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`]).stdout]).toEqual(
        [name, "1\n"],
      );
    // ::1 on lo, which nobody else reaches.
    expect(sandbox.ok(["exec", id, "sh", "-c", "ip -6 -o addr"])).toMatch(/^1: lo +inet6 ::1\/128 [^\n]*$/);
    expect(
      sandbox.ok([
        "exec",
        id,
        "cat",
        "/proc/sys/net/ipv6/conf/all/disable_ipv6",
        "/proc/sys/net/ipv6/conf/eth0/disable_ipv6",
      ]),
    ).toBe("1\n1");
  });
});

test("H4 CVE-2021-20199 CVE-2021-4024: a port of 127.0.0.1 is not reached from another container", () => {
  const server = ["--network", "bridge", "-p", "127.0.0.1:18080:80"];
  withRunning(
    sandbox,
    server,
    ({ id }) => {
      const gateway = sandbox.ok([
        "exec",
        id,
        "sh",
        "-c",
        "ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'",
      ]);
      const reached = (host: string) =>
        script(
          sandbox,
          ["--network", "bridge"],
          `nc -w 1 ${host} 18080 </dev/null >/dev/null 2>&1 && echo reached || echo not`,
        );
      expect([reached(gateway), reached("127.0.0.1")]).toEqual(["not", "not"]);
      expect(sandbox.execute(["sh", "-c", "busybox nc -w 2 127.0.0.1 18080 </dev/null"]).stdout).toBe(
        "hello\n",
      );
    },
    ["sh", "-c", "while :; do echo hello | nc -l -p 80; done"],
  );
});

test("H5 CVE-2025-54388 CVE-2025-54410: isolation that was flushed is back with the next container", () => {
  withRunning(sandbox, ["--network", "bridge"], () => {
    const rules = () =>
      sandbox.execute(["nft", "list", "ruleset"]).stdout.replace(/packets \d+ bytes \d+/g, "");
    const before = rules();
    expect(before).toMatch(/drop/);
    sandbox.execute(["nft", "flush", "ruleset"]);
    expect(rules()).not.toMatch(/drop/);
    script(sandbox, ["--network", "bridge"], "true");
    expect((rules().match(/drop/g) ?? []).length).toBe((before.match(/drop/g) ?? []).length);
  });
});
