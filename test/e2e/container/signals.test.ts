/** Signals: from the client to the program, by kill, and by stop. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { busyboxSandbox } from "../busybox.ts";
import { BINARY, type Sandbox } from "../sandbox.ts";
import { until } from "../wait.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => {
  for (const id of sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean)) sandbox.bocker(["rm", "-f", id]);
  sandbox.remove();
});

const TRAPS =
  "trap 'echo usr1' USR1; trap 'echo int' INT; trap 'echo term; exit 7' TERM; echo ready; while :; do sleep 0.05; done";

/** Starts a client, sends it signals one after the other once each has been answered; what came and how it ended. */
async function signalled(words: string[], signals: [NodeJS.Signals, string][]) {
  const [program, ...rest] = sandbox.inside([BINARY, ...words]);
  const client = spawn(program, rest, { env: sandbox.environment, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  const waiting: (() => void)[] = [];
  client.stdout.on("data", (chunk) => {
    output += chunk;
    for (const resolve of waiting.splice(0)) resolve();
  });
  const until = async (text: string) => {
    while (!output.includes(text)) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const ended = new Promise<number | null>((resolve) => client.once("exit", (code) => resolve(code)));
  await until("ready");
  for (const [signal, answer] of signals) {
    // nsenter executes bocker: it is the same process.
    client.kill(signal);
    if (answer !== "") await until(answer);
  }
  return { output, code: await ended };
}

test("what the client gets, the program gets", async () => {
  const { output, code } = await signalled(
    ["run", "--rm", "--network", "none", "busybox", "sh", "-c", TRAPS],
    [
      ["SIGUSR1", "usr1"],
      ["SIGINT", "int"],
      ["SIGTERM", "term"],
    ],
  );
  expect(output).toBe("ready\nusr1\nint\nterm\n");
  expect(code).toBe(7);
});

test("with --sig-proxy=false it is the client's own", async () => {
  const words = [
    "run",
    "--name",
    "proxied",
    "--sig-proxy=false",
    "--network",
    "none",
    "busybox",
    "sh",
    "-c",
    TRAPS,
  ];
  const { code } = await signalled(words, [["SIGTERM", ""]]);
  expect(code).not.toBe(7);
  expect(sandbox.ok(["inspect", "-f", "{{.State.Running}}", "proxied"])).toBe("true");
  expect(sandbox.ok(["stop", "proxied"])).toBe("proxied");
  expect(sandbox.ok(["wait", "proxied"])).toBe("7");
});

test("a client that is killed leaves a --rm container to its end and its monitor", async () => {
  await signalled(
    ["run", "--rm", "--name", "orphan", "--network", "none", "busybox", "sh", "-c", "echo ready; sleep 0.7"],
    [["SIGKILL", ""]],
  );
  expect(sandbox.ok(["ps", "--format", "{{.Names}}"])).toBe("orphan");
  expect(sandbox.ok(["wait", "orphan"])).toBe("0");
  await until(() => sandbox.ok(["ps", "-aqf", "name=orphan"]) === "");
  expect(sandbox.ok(["ps", "-aqf", "name=orphan"])).toBe("");
});

test.each(["USR1", "SIGUSR1", "10", "usr1"])("kill -s %s", async (signal) => {
  const id = sandbox.ok([
    "run",
    "-d",
    "--network",
    "none",
    "busybox",
    "sh",
    "-c",
    TRAPS.replace("echo usr1", "exit 3"),
  ]);
  await until(() => sandbox.ok(["logs", id]).includes("ready"));
  expect(sandbox.ok(["kill", "-s", signal, id])).toBe(id);
  expect(sandbox.ok(["wait", id])).toBe("3");
  const again = sandbox.bocker(["kill", id]);
  expect([again.code, again.stderr]).toEqual([1, `Error: container ${id} is not running\n`]);
  sandbox.ok(["rm", id]);
});

test("stop asks, waits, and kills", () => {
  const start = (...flags: string[]) =>
    sandbox.ok([
      "run",
      "-d",
      "--network",
      "none",
      ...flags,
      "busybox",
      "sh",
      "-c",
      "trap '' TERM; trap 'exit 9' HUP; while :; do sleep 0.05; done",
    ]);
  const stubborn = start("--stop-timeout", "0");
  sandbox.ok(["stop", stubborn]);
  expect(sandbox.ok(["wait", stubborn])).toBe("137");
  const patient = start();
  sandbox.ok(["stop", "-t", "1", patient]);
  expect(sandbox.ok(["wait", patient])).toBe("137");
  const polite = start("--stop-signal", "HUP");
  Bun.sleepSync(300);
  sandbox.ok(["stop", polite]);
  expect(sandbox.ok(["wait", polite])).toBe("9");
  // What does not run is stopped already.
  expect(sandbox.ok(["stop", polite, stubborn])).toBe(`${polite}\n${stubborn}`);
  sandbox.ok(["rm", stubborn, patient, polite]);
});

test("bad signals are refused before anything happens", () => {
  expect(sandbox.bocker(["kill", "-s", "NOPE", "x"]).stderr).toBe("Error: invalid signal: NOPE\n");
  expect(sandbox.bocker(["run", "--rm", "--stop-signal", "SIGFOO", "busybox", "true"]).code).toBe(125);
});
