/** Monitors and clients killed or stopped, containers removed under those who use them: everybody comes to an end. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { busyboxSandbox } from "../e2e/busybox.ts";
import { awaitEnd, statusField } from "../e2e/container/kernel.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { until } from "../e2e/wait.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

const FLOOD = ["sh", "-c", "while :; do echo flood flood flood flood; done"];

function start(...words: string[]): ChildProcess {
  const [program, ...rest] = sandbox.inside([sandbox.binary, ...words]);
  return spawn(program, rest, { env: sandbox.environment, stdio: ["pipe", "pipe", "pipe"] });
}

/** Its exit code and what it wrote, when it has ended. */
function ended(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]!.on("data", (data) => {
      texts[name] = (texts[name] + data).slice(-10_000);
    });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, ...texts })));
}

const monitorOf = (name: string) =>
  Number(statusField(Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", name])), "PPid"));
const status = (name: string) => sandbox.ok(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name]);
const whole = () => expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");

/** With one file there is a moment in which it is empty. */
const LOG = ["--log-opt", "max-size=1m", "--log-opt", "max-file=2"];

test("F10: the monitor of a container that floods is killed: ps, logs, stop and rm go on", () => {
  sandbox.ok(["run", "-d", "--name", "flood", ...LOG, "busybox", ...FLOOD]);
  Bun.sleepSync(200);
  const pid = Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", "flood"]));
  process.kill(monitorOf("flood"), "SIGKILL");
  awaitEnd(pid);
  expect(sandbox.bocker(["ps", "-a"]).stdout).toMatch(/Exited \(255\).*flood/);
  expect(sandbox.bocker(["logs", "--tail", "1", "flood"]).stdout).toContain("flood");
  expect(sandbox.bocker(["stop", "flood"]).code).toBe(0);
  sandbox.ok(["rm", "-f", "flood"]);
  whole();
});

test("F12: a monitor that is stopped loses nothing, and nobody waits for it without end", async () => {
  const lines = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i; done; exit 7";
  sandbox.ok(["run", "-d", "--name", "stopped", "busybox", "sh", "-c", `sleep 0.5; ${lines}`]);
  const monitor = monitorOf("stopped");
  process.kill(monitor, "SIGSTOP");
  const waiting = ended(start("wait", "stopped"));
  // Not for ever: it tells the monitor to go on.
  expect(await ended(start("stop", "-t", "1", "stopped"))).toMatchObject({ code: 0, stderr: "" });
  expect((await waiting).stdout).toMatch(/^(7|137)\n$/);
  expect(status("stopped")).toMatch(/^exited (7|137)$/);
  sandbox.ok(["rm", "stopped"]);

  // Without another's stop: nothing of what was written meanwhile is missing, nor the exit code.
  sandbox.ok(["run", "-d", "--name", "later", "busybox", "sh", "-c", `sleep 0.2; ${lines}`]);
  const second = monitorOf("later");
  process.kill(second, "SIGSTOP");
  await Bun.sleep(1000);
  process.kill(second, "SIGCONT");
  expect(sandbox.ok(["wait", "later"])).toBe("7");
  const numbers = Array.from({ length: 2000 }, (_, at) => at + 1).join("\n");
  expect(sandbox.ok(["logs", "later"])).toBe(numbers);
  sandbox.ok(["rm", "later"]);
  whole();
}, 100_000);

test("F11: a client that is killed takes nothing along: run, exec, attach, logs -f", async () => {
  const run = start("run", "-i", "--name", "kept", "busybox", "sleep", "1000");
  await until(() => sandbox.bocker(["ps", "-q", "-f", "name=kept"]).stdout !== "");
  const clients = [
    run,
    start("exec", "-i", "kept", "sleep", "1001"),
    start("attach", "kept"),
    start("logs", "-f", "kept"),
  ];
  const processes = () => sandbox.ok(["exec", "kept", "ps"]);
  await until(() => processes().includes("sleep 1001"));
  for (const client of clients) {
    client.kill("SIGKILL");
    await ended(client);
  }
  expect(status("kept")).toBe("running 0");
  // As docker: the program of a dead client's exec goes on.
  expect(processes()).toContain("sleep 1001");
  sandbox.ok(["rm", "-f", "kept"]);
  whole();
});

test("F19: rm -f while others are at it: they end, with an error or an end", async () => {
  sandbox.ok(["run", "-d", "--name", "busy", "busybox", ...FLOOD]);
  const users = Object.entries({
    wait: start("wait", "busy"),
    logs: start("logs", "-f", "busy"),
    attach: start("attach", "--no-stdin", "busy"),
    exec: start("exec", "busy", "sleep", "1000"),
    commit: start("commit", "busy", "of-busy"),
    export: start("export", "busy"),
    "cp out": start("cp", "busy:/bin", "-"),
    "cp in": start("cp", "/bin", "busy:/tmp"),
  }).map(async ([name, child]) => ({ name, ...(await ended(child)) }));
  await Bun.sleep(300);
  sandbox.ok(["rm", "-f", "busy"]);
  const results = await Promise.all(users);
  const codeOf = (name: string) => results.find((result) => result.name === name)!.code;
  expect(codeOf("exec")).toBe(137);
  expect(codeOf("attach")).toBe(137);
  expect(codeOf("logs")).toBe(0);
  expect(results.find(({ name }) => name === "wait")!.stdout).toBe("137\n");
  for (const name of ["commit", "export", "cp out", "cp in"]) expect([0, 1]).toContain(codeOf(name)!);
  sandbox.bocker(["rmi", "of-busy"]);
  whole();
}, 60_000);
