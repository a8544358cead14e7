/**
 * `run --explain=sh`: the script, run by /bin/sh with util-linux and iproute2, and `bocker run` itself make the same
 * container. Both are asked from inside, by the same program.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { cgroupNames } from "../cgroups.ts";
import { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
let shared: string;

beforeAll(() => {
  sandbox = new Sandbox();
  chmodSync(sandbox.directory, 0o755);
  shared = join(sandbox.directory, "it's shared");
  mkdirSync(shared);
  chmodSync(shared, 0o755);
  copyFileSync(join(import.meta.dirname, "payload.sh"), join(shared, "payload.sh"));
  writeFileSync(join(shared, "file"), "");
});
afterAll(() => sandbox.remove());

function sectionsOf(output: string): Map<string, string> {
  const sections = new Map<string, string>();
  for (const part of output.split(/^== /m).slice(1)) {
    const end = part.indexOf("\n");
    sections.set(part.slice(0, end), part.slice(end + 1));
  }
  return sections;
}

/** Ids, addresses and device numbers are each container's own; the rest must be equal. */
function normalized(output: string): Map<string, string> {
  const text = output
    .replace(/[0-9a-f]{64}/g, "ID")
    .replace(/172\.30\.0\.\d+/g, "ADDRESS")
    .replace(/02:42:ac:1e:..:../g, "MAC")
    .replace(/^\d+ \d+ \d+:\d+ /gm, "")
    // One layer by lowerdir+ shows otherwise than the same by lowerdir.
    .replace(/lowerdir\+=/g, "lowerdir=")
    .replace(/"link_index":\d+/g, '"link_index":0')
    .replace(/fe80::[0-9a-f:]+/g, "LINKLOCAL")
    .replace(/:\[\d+\]/g, ":[N]");
  return sectionsOf(text);
}

/** Runs the same options both ways. */
function both(options: string[], ...command: string[]) {
  const words = [...options, "host", ...command];
  const script = sandbox.ok(["run", "--rm", "--explain=sh", ...words]);
  const path = join(sandbox.directory, "script.sh");
  writeFileSync(path, script);
  const byScript = sandbox.execute(["sh", path]);
  const byBocker = sandbox.bocker(["run", "--rm", ...words]);
  return { script, path, byScript, byBocker };
}

function leftovers(): string[] {
  return [
    ...readdirSync(join(sandbox.data, "containers")),
    ...readdirSync(join(sandbox.run, "containers")),
    ...cgroupNames().filter((name) => script.includes(name)),
  ];
}
let script = "";

const OPTIONS = [
  ..."-p 18080:80 -p 127.0.0.1:18053:53/udp -m 64m --cpus 0.5 --pids-limit 50 --cap-drop CHOWN --cap-add NET_ADMIN".split(
    " ",
  ),
  ..."--tmpfs /scratch:size=1m,mode=1777 --read-only -u 1000:1000 --group-add 4 -w /usr/lib --hostname hello".split(
    " ",
  ),
  ..."--domainname example.org --sysctl net.ipv4.conf.all.log_martians=1 --ulimit nofile=100:200 --shm-size 8m".split(
    " ",
  ),
  ..."--add-host other:10.0.0.1 --oom-score-adj 100 --security-opt no-new-privileges".split(" "),
];

describe("the script of --explain=sh", () => {
  test("makes the container that bocker makes", () => {
    const bind = ["-v", `${shared}:/data:ro`, "-e", 'A=it\'s $HOME `id` \\ "quoted"\nand two lines'];
    const made = both([...OPTIONS, ...bind], "sh", "/data/payload.sh");
    script = made.script;
    expect(made.byScript.stderr).toBe("");
    expect(made.byScript.code).toBe(0);
    expect(made.byBocker.code).toBe(0);
    const real = normalized(made.byBocker.stdout);
    const copy = normalized(made.byScript.stdout);
    expect([...real.keys()].length).toBeGreaterThan(15);
    for (const [name, content] of real) expect(`${name}\n${copy.get(name)}`).toBe(`${name}\n${content}`);
    const status = real.get("status") ?? "";
    expect(status).toMatch(/NoNewPrivs:\s+1/);
    expect(status).toMatch(/Uid:\s+1000\s+1000/);
    expect(real.get("cgroup")).toContain("67108864");
    expect(real.get("mountinfo")).toContain("/scratch rw,nosuid,nodev,noexec,relatime");
    expect(leftovers()).toEqual([]);
  });

  test("has namespaces of its own", () => {
    const made = both([], "sh", "-c", "for n in mnt uts ipc pid net; do readlink /proc/self/ns/$n; done");
    const hosts = ["mnt", "uts", "ipc", "pid", "net"].map((name) => readlinkSync(`/proc/self/ns/${name}`));
    for (const { stdout } of [made.byScript, made.byBocker]) {
      const lines = stdout.trim().split("\n");
      expect(lines).toHaveLength(5);
      for (const host of hosts) expect(lines).not.toContain(host);
    }
  });

  test("makes the bridge and the table when there are none", () => {
    const fresh = new Sandbox();
    try {
      const path = join(fresh.directory, "script.sh");
      writeFileSync(
        path,
        fresh.ok(["run", "--rm", "--explain=sh", "-p", "18081:80", "host", "cat", "/proc/net/fib_trie"]),
      );
      const first = fresh.execute(["sh", path]);
      expect(first.stderr).toBe("");
      expect(first.stdout).toContain("172.30.0.2");
      expect(fresh.execute(["ip", "-br", "addr", "show", "bocker0"]).stdout).toContain("172.30.0.1/16");
      expect(fresh.execute(["nft", "list", "map", "ip", "bocker", "ports_any"]).stdout).not.toContain(
        "elements",
      );
      // What the script made is what bocker itself would have made: it takes it as it is.
      expect(fresh.ok(["run", "--rm", "--explain", "host", "true"])).not.toContain(
        "ip link add name bocker0",
      );
      expect(fresh.ok(["run", "--rm", "host", "cat", "/proc/net/fib_trie"])).toContain("172.30.0.2");
    } finally {
      fresh.remove();
    }
  });

  test.each(["none", "host"])("--network %s", (network) => {
    const made = both(["--network", network], "cat", "/proc/net/dev");
    const names = (text: string) => [...text.matchAll(/^\s*(\w+):/gm)].map(([, name]) => name);
    expect(names(made.byScript.stdout)).toEqual(names(made.byBocker.stdout));
  });

  test("ends as its program ends", () => {
    for (const [command, code] of [
      ["exit 42", 42],
      ["kill -9 $$", 137],
    ] as const) {
      const made = both(["--network", "none"], "sh", "-c", `sh -c '${command}'; exit $?`);
      expect(made.byScript.code).toBe(code);
      expect(made.byBocker.code).toBe(code);
    }
  });

  test("passes standard input with -i", () => {
    const text = sandbox.ok(["run", "--rm", "-i", "--explain=sh", "--network", "none", "host", "cat"]);
    const path = join(sandbox.directory, "cat.sh");
    writeFileSync(path, text);
    expect(sandbox.execute(["sh", path], "hello\n").stdout).toBe("hello\n");
  });

  test("is clean for shellcheck", () => {
    if (spawnSync("shellcheck", ["--version"]).status !== 0) {
      console.warn("SKIPPED: no shellcheck(1)");
      return;
    }
    const path = join(sandbox.directory, "checked.sh");
    writeFileSync(path, script);
    const { stdout, status } = spawnSync("shellcheck", ["-s", "sh", path], { encoding: "utf8" });
    expect(stdout).toBe("");
    expect(status).toBe(0);
    expect(readFileSync(path, "utf8")).toStartWith("#!/bin/sh\n");
  });
});
