/** Signals to bocker, `kill` and `stop`. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { statusField } from "./kernel.ts";
import { SLEEP } from "./running.ts";

/** Says which signals arrive; ends after the second USR2. */
const LISTENER = [
  "sh",
  "-c",
  "for s in HUP INT TERM USR1 USR2 WINCH; do trap \"echo $s\" $s; done; trap 'exit 5' QUIT; echo ready; while :; do sleep 0.01; done",
];

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());
afterEach(() => {
  const left = sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean);
  if (left.length > 0) sandbox.ok(["rm", "-f", ...left]);
});

/** bocker itself, not a shell around it: signals go to its pid. */
function spawn(words: string[]) {
  const child = Bun.spawn(sandbox.inside([sandbox.binary, ...words]), {
    env: sandbox.environment,
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  let seen = "";
  const expectLine = async (line: string) => {
    while (!seen.includes(`${line}\n`)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`ended before ${line}: ${seen}`);
      seen += Buffer.from(value).toString();
    }
    seen = seen.slice(seen.indexOf(`${line}\n`) + line.length + 1);
  };
  return { child, expectLine };
}

function exitCode(container: string): string {
  return sandbox.ok(["inspect", "-f", "{{.State.ExitCode}}", container]);
}

describe("signals to an attached client", () => {
  test("reach pid 1: TERM, INT, HUP, USR1, USR2, and QUIT, which ends it", async () => {
    const { child, expectLine } = spawn(["run", "--rm", "--network", "none", IMAGE, ...LISTENER]);
    await expectLine("ready");
    for (const signal of ["TERM", "INT", "HUP", "USR1", "USR2"] as const) {
      child.kill(`SIG${signal}`);
      await expectLine(signal);
    }
    child.kill("SIGQUIT");
    expect(await child.exited).toBe(5);
  });

  test("by start -a and attach, too", async () => {
    const id = sandbox.ok(["create", "--network", "none", IMAGE, ...LISTENER]);
    const started = spawn(["start", "-a", id]);
    await started.expectLine("ready");
    started.child.kill("SIGUSR1");
    await started.expectLine("USR1");
    const attached = spawn(["attach", id]);
    const caught = () => BigInt(`0x${statusField(attached.child.pid, "SigCgt")}`);
    while (((caught() >> 11n) & 1n) === 0n) await Bun.sleep(5);
    attached.child.kill("SIGUSR2");
    await started.expectLine("USR2");
    attached.child.kill("SIGQUIT");
    expect(await Promise.all([started.child.exited, attached.child.exited])).toEqual([5, 5]);
  });

  test("--sig-proxy=false: they end the client alone", async () => {
    const { child, expectLine } = spawn([
      "run",
      "--network",
      "none",
      "--sig-proxy=false",
      "--name",
      "alone",
      IMAGE,
      ...LISTENER,
    ]);
    await expectLine("ready");
    child.kill("SIGTERM");
    await child.exited;
    expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", "alone"])).toBe("running");
  });
});

describe("kill", () => {
  test("-s by name, by number; KILL without", () => {
    const id = sandbox.ok(["run", "-d", "--network", "none", IMAGE, ...LISTENER]);
    const log = () => sandbox.ok(["logs", id]).split("\n");
    while (!log().includes("ready")) Bun.sleepSync(10);
    for (const [word, name] of [
      ["USR1", "USR1"],
      ["SIGUSR2", "USR2"],
      ["1", "HUP"],
      ["winch", "WINCH"],
    ] as const) {
      expect(sandbox.ok(["kill", "-s", word, id])).toBe(id);
      while (!log().includes(name)) Bun.sleepSync(10);
    }
    sandbox.ok(["kill", id]);
    expect(sandbox.ok(["wait", id])).toBe("137");
    expect(sandbox.bocker(["kill", id])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is not running"),
    });
    expect(sandbox.bocker(["kill", "-s", "LOUD", id]).stderr).toContain("invalid signal: LOUD");
  });
});

describe("stop", () => {
  const run = (options: string[], command: string[]) => {
    const id = sandbox.ok(["run", "-d", "--network", "none", ...options, IMAGE, ...command]);
    while (command !== SLEEP && sandbox.ok(["logs", id]) !== "ready") Bun.sleepSync(10);
    return id;
  };
  const trap = (signal: string) => [
    "sh",
    "-c",
    `trap 'exit 7' ${signal}; echo ready; while :; do sleep 0.01; done`,
  ];

  test("TERM first", () => {
    const id = run([], trap("TERM"));
    expect(sandbox.ok(["stop", "-t", "60", id])).toBe(id);
    expect(exitCode(id)).toBe("7");
  });

  test("KILL when the time is over: 137", () => {
    const id = run([], SLEEP);
    sandbox.ok(["stop", "-t", "0", id]);
    expect(exitCode(id)).toBe("137");
    const other = run(["--stop-timeout", "0"], SLEEP);
    sandbox.ok(["stop", other]);
    expect(exitCode(other)).toBe("137");
  });

  test("--stop-signal, -s, and the image's STOPSIGNAL", () => {
    const first = run(["--stop-signal", "USR1"], trap("USR1"));
    sandbox.ok(["stop", "-t", "60", first]);
    expect(exitCode(first)).toBe("7");
    const second = run([], trap("USR2"));
    sandbox.ok(["stop", "-t", "60", "-s", "USR2", second]);
    expect(exitCode(second)).toBe("7");
    sandbox.ok(["commit", "--change", "STOPSIGNAL SIGHUP", second, "stopped-by-hup"]);
    const third = sandbox.ok(["run", "-d", "--network", "none", "stopped-by-hup", ...trap("HUP")]);
    while (sandbox.ok(["logs", third]) !== "ready") Bun.sleepSync(10);
    sandbox.ok(["stop", "-t", "60", third]);
    expect(exitCode(third)).toBe("7");
  });

  test("of several at once, of one that has ended, of none", () => {
    const ids = [run([], trap("TERM")), run([], trap("TERM"))];
    expect(sandbox.ok(["stop", "-t", "60", ...ids])).toBe(ids.join("\n"));
    expect(sandbox.ok(["stop", ids[0] ?? ""])).toBe(ids[0] ?? "");
    expect(sandbox.bocker(["stop", "nobody"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("No such container: nobody"),
    });
  });
});
