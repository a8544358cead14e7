/** `run --explain` and `run --timings`: what they print, and that explaining changes nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { parseExplanation } from "../../../src/runtime/explain/json.ts";
import { encodePlan } from "../../../src/runtime/plan/encode.ts";
import { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox();
});
afterAll(() => sandbox.remove());

const OPTIONS = ["run", "--rm", "--name", "web", "-p", "18080:80", "-m", "64m", "-e", "A=1"];
const COMMAND = ["host", "sleep", "1"];

function files(directory: string): string[] {
  return readdirSync(directory, { recursive: true }).map(String).toSorted();
}

/** What is in the network namespace and the firewall; the cable of a container that ended may still be on its way out. */
function network(): string {
  const lines = [
    ["ip", "-br", "addr"],
    ["ip", "route"],
    ["nft", "list", "ruleset"],
    ["sysctl", "net.ipv4.ip_forward"],
  ].map((words) => sandbox.execute(words).stdout);
  return lines
    .join("\n")
    .split("\n")
    .filter((line) => !line.startsWith("veth"))
    .join("\n");
}

describe("run --explain", () => {
  test.each(["--explain", "--explain=json", "--explain=sh"])(
    "%s leaves nothing behind on a fresh machine",
    (flag) => {
      const before = network();
      sandbox.ok([...OPTIONS, flag, ...COMMAND]);
      expect(existsSync(sandbox.data)).toBe(false);
      expect(existsSync(sandbox.run)).toBe(false);
      expect(network()).toBe(before);
    },
  );

  test("leads no packet to a container before the kernel has seen that it can be reached", () => {
    const { plan } = parseExplanation(sandbox.ok([...OPTIONS, "--explain=json", ...COMMAND]));
    const after = plan.operations.filter(({ phase }) => phase === "host-after");
    const at = (wanted: string) => after.findIndex(({ op, what }) => `${op} ${what}`.startsWith(wanted));
    const order = [
      "netlink make the pair",
      "wait ",
      "await_link ",
      "netlink publish ",
      "signal tell the container that it can",
    ];
    const places = order.map(at);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    // Without ports, too: the program may be the first to speak.
    const quiet = parseExplanation(sandbox.ok(["run", "--rm", "--explain=json", ...COMMAND])).plan.operations;
    expect(quiet.some(({ op }) => op === "await_link")).toBe(true);
    const last = quiet.findLastIndex(({ op, phase }) => op === "wait" && phase === "container");
    expect(quiet.slice(last).some(({ op }) => op === "exec")).toBe(true);
  });

  test("prints every step with its process, its reason and the command that does the same", () => {
    const text = sandbox.ok([...OPTIONS, "--explain", ...COMMAND]);
    for (const part of [
      "The container web from the image host",
      "bocker prepares",
      "ip link add name bocker0",
      "make the overlay of a read-only layer and one to write to",
      'nft "add element ip bocker ports_any { tcp . 18080 : 172.30.0.2 . 80 }"',
      "clone3 with new namespaces: mount, uts, ipc, pid, network",
      "pivot_root into it and detach the host's tree",
      "system calls pass",
      "execute sleep 1",
      "when the container has ended",
    ])
      expect(text).toContain(part);
  });

  test("changes nothing on a machine in use, and tells the next container's address", () => {
    sandbox.ok(["run", "--rm", "host", "true"]);
    const kept = [...files(sandbox.data), ...files(sandbox.run)];
    const before = network();
    const explained = parseExplanation(sandbox.ok([...OPTIONS, "--explain=json", ...COMMAND]));
    expect([...files(sandbox.data), ...files(sandbox.run)]).toEqual(kept);
    expect(network()).toBe(before);
    const address = /172\.30\.0\.\d+/.exec(
      JSON.stringify(explained.plan.operations.map(({ what }) => what)),
    )?.[0];
    expect(sandbox.ok(["run", "--rm", "host", "ip", "-4", "-br", "addr", "show", "eth0"])).toContain(
      `${address}/16`,
    );
    expect(encodePlan(explained.plan).length).toBeGreaterThan(1000);
  });

  test("fails as the run would", () => {
    const holder = sandbox.bocker([...OPTIONS, "--explain", "no-such-image", "true"]);
    expect(holder.code).toBe(125);
    expect(sandbox.bocker(["run", "--explain=yaml", "host", "true"]).stderr).toContain("text, json or sh");
    expect(sandbox.bocker(["run", "--explain", "-m", "1m", "host", "true"]).stderr).toContain("6MB");
  });
});

describe("run --timings", () => {
  test("prints a table on standard error after the run", () => {
    const result = sandbox.bocker(["run", "--rm", "--timings", "host", "sh", "-c", "sleep 0.05; echo out"]);
    expect(result.stdout).toBe("out\n");
    const row = (what: string) => {
      const line = result.stderr.split("\n").find((one) => one.endsWith(what)) ?? "";
      const [at = "", took = ""] = line.trim().split(/\s+/);
      return { at: Number(at), took: Number(took) };
    };
    expect(row("the program, until its end is heard of").took).toBeGreaterThan(45);
    const total = row("total").took;
    expect(total).toBeGreaterThan(50);
    for (const line of result.stderr.trim().split("\n").slice(1)) {
      const [at = "", took = ""] = line.trim().split(/\s+/);
      expect(Number(took)).toBeGreaterThanOrEqual(0);
      expect(Number(at) + Number(took)).toBeLessThan(total + 5);
    }
    expect(row("mounts").took).toBeLessThan(total);
    // Nothing between the process's birth and its end is left out.
    const lines = result.stderr.trim().split("\n").slice(1, -1);
    const own = lines.filter((line) => /^\s*\S+\s+\S+\s+(kernel|bocker)\s/.test(line));
    const sum = own.reduce((all, line) => all + Number(line.trim().split(/\s+/)[1]), 0);
    expect(Math.abs(sum - total)).toBeLessThan(0.1);
  });
});
