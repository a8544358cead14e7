/** Health checks: a container's own command, executed again and again, though there is no daemon. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOCAL_ARCHITECTURE } from "../../../src/base/architecture.ts";
import { digestOf } from "../../../src/base/digest.ts";
import type { ExecutionConfig } from "../../../src/spec/image-config.ts";
import { busyboxSandbox, fillRoot } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { until, untilSync } from "../wait.ts";
import { statusField } from "./kernel.ts";

let sandbox: Sandbox;
/** What is in the image busybox. */
let archive: Uint8Array;
beforeAll(() => {
  sandbox = busyboxSandbox();
  const root = join(sandbox.directory, "root");
  mkdirSync(root);
  fillRoot(root);
  archive = execFileSync("tar", ["-C", root, "-c", "."], { maxBuffer: 1 << 26 });
});
afterAll(() => sandbox.remove());
afterEach(() => {
  sandbox.bocker(["rm", "-f", "checked"]);
  // Nobody looks after it any more, and nothing of a check is left.
  untilSync(() => sandbox.processes().length === 0);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

interface Health {
  Status: string;
  FailingStreak: number;
  Log: { Start: string; End: string; ExitCode: number; Output: string }[];
}

const SLEEP = ["sleep", "1000"];
const run = (options: string[], image = "busybox", command = SLEEP) =>
  sandbox.ok(["run", "-d", "--name", "checked", "--network", "none", ...options, image, ...command]);
const check = (command: string, ...options: string[]) => [
  ...["--health-cmd", command, "--health-interval", "100ms"],
  ...options,
];
const inspect = () => JSON.parse(sandbox.ok(["inspect", "checked"]))[0];
const health = (): Health => inspect().State.Health;
const status = () => health().Status;
const shown = () => sandbox.ok(["ps", "-a", "-f", "name=checked", "--format", "{{.Status}}"]);
const listed = (value: string) => sandbox.ok(["ps", "-a", "-f", `health=${value}`, "--format", "{{.Names}}"]);
const events = (...filters: string[]) =>
  sandbox
    .ok(["events", "--since", "1h", "--until", "0s", "--format", "{{.Action}}", ...filters])
    .split("\n")
    .filter(Boolean);

test("a container is starting, unhealthy after as many failures as asked for, and healthy again", async () => {
  // The first check of this one is half a minute away.
  run(["--health-cmd", "true"]);
  expect(shown()).toMatch(/^Up .* \(health: starting\)$/);
  expect([listed("starting"), health()]).toEqual([
    "checked",
    { Status: "starting", FailingStreak: 0, Log: [] },
  ]);
  sandbox.ok(["rm", "-f", "checked"]);
  run(check("echo out; echo err >&2; [ -e /well ] || exit 3", "--health-retries", "3"));
  await until(() => status() === "unhealthy");
  expect(shown()).toMatch(/^Up .* \(unhealthy\)$/);
  expect([listed("unhealthy"), listed("healthy"), listed("none")]).toEqual(["checked", "", ""]);
  const { FailingStreak, Log } = health();
  expect(FailingStreak).toBeGreaterThanOrEqual(3);
  expect(Log[0]).toEqual({
    Start: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/),
    End: expect.any(String),
    ExitCode: 3,
    Output: "out\nerr\n",
  });
  expect(Log[0]!.End >= Log[0]!.Start).toBe(true);
  sandbox.ok(["exec", "checked", "touch", "/well"]);
  await until(() => status() === "healthy");
  expect([shown(), health().FailingStreak]).toEqual([expect.stringMatching(/ \(healthy\)$/), 0]);
  await until(() => health().Log.every(({ ExitCode }) => ExitCode === 0));
  expect(health().Log).toHaveLength(5);
  expect(events("-f", "event=health_status")).toEqual(["health_status: unhealthy", "health_status: healthy"]);
  expect(events("-f", "event=exec_create")).toContain(
    "exec_create: /bin/sh -c echo out; echo err >&2; [ -e /well ] || exit 3",
  );
});

test("as for docker, one that has ended is unhealthy; started again it is starting, and what was found stays", async () => {
  run(check("true"));
  await until(() => status() === "healthy");
  sandbox.ok(["stop", "-t", "0", "checked"]);
  const { Status, Log } = health();
  expect([Status, Log.length > 0, shown()]).toEqual(["unhealthy", true, expect.stringMatching(/^Exited/)]);
  sandbox.ok(["start", "checked"]);
  expect(health().Log[0]).toEqual(Log[0]!);
  await until(() => status() === "healthy");
});

test("within the start period failures do not count, and checks come as often as is said for it", async () => {
  const period = ["--health-start-period", "1h", "--health-start-interval", "50ms", "--health-retries", "1"];
  run(["--health-cmd", "[ -e /well ]", "--health-interval", "1h", ...period]);
  await until(() => health().Log.length >= 3);
  expect([status(), health().FailingStreak]).toEqual(["starting", 0]);
  sandbox.ok(["exec", "checked", "touch", "/well"]);
  await until(() => status() === "healthy");
  // From now on the interval counts.
  const { length } = events("-f", "event=exec_create");
  await Bun.sleep(500);
  expect(events("-f", "event=exec_create").length).toBeLessThanOrEqual(length + 1);
});

test("one that takes too long is killed", async () => {
  run(check("echo begun; exec sleep 2000", "--health-timeout", "200ms", "--health-retries", "1"));
  await until(() => status() === "unhealthy");
  expect(health().Log[0]).toMatchObject({
    ExitCode: -1,
    Output: "Health check exceeded timeout (200ms): begun\n",
  });
  await until(() => sandbox.ok(["top", "checked"]).split("sleep 2000").length <= 2);
});

test("what cannot be executed is a failure that says why; what is printed is kept up to 4096 bytes", async () => {
  run(["--health-interval", "100ms", "--health-retries", "1"], imageWith('HEALTHCHECK CMD ["/no/such"]'));
  await until(() => status() === "unhealthy");
  expect(health().Log[0]).toMatchObject({
    ExitCode: -1,
    Output: 'exec: "/no/such": stat /no/such: no such file or directory',
  });
  sandbox.ok(["rm", "-f", "checked"]);
  run(check("head -c 3000000 /dev/zero | tr '\\0' x"));
  await until(() => status() === "healthy");
  expect(health().Log[0]!.Output).toBe("x".repeat(4096));
});

/** The name of an image with this in its configuration. */
function imageWith(...changes: string[]): string {
  const words = changes.flatMap((change) => ["-c", change]);
  expect(sandbox.bocker(["import", ...words, "-", "with-changes"], archive).code).toBe(0);
  return "with-changes";
}

/** The name of one whose configuration is this, as `docker save` wrote them: with what no --change can say. */
function imageThat(config: ExecutionConfig): string {
  const directory = mkdtempSync(join(sandbox.directory, "image-"));
  const document = {
    architecture: LOCAL_ARCHITECTURE,
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: [digestOf(archive)] },
  };
  const manifest = [{ Config: "config.json", RepoTags: ["by-hand:latest"], Layers: ["layer.tar"] }];
  writeFileSync(join(directory, "config.json"), JSON.stringify(document));
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
  writeFileSync(join(directory, "layer.tar"), archive);
  const saved = execFileSync("tar", ["-C", directory, "-c", "."], { maxBuffer: 1 << 26 });
  expect(sandbox.bocker(["load"], saved).stderr).toBe("");
  return "by-hand";
}

describe("an image's check", () => {
  const INSTRUCTION = "HEALTHCHECK --interval=100ms --retries=2 CMD [ -e /well ]";

  test("is executed by the image's shell, as its user and in its directory, and flags go before it", async () => {
    const image = imageThat({
      Shell: ["/bin/sh", "-ec"],
      User: "1000",
      WorkingDir: "/tmp",
      Healthcheck: { Test: ["CMD-SHELL", "id -u; pwd; false; echo not here"], Interval: 1e8, Retries: 2 },
    });
    run(["--health-retries", "9"], image);
    const { Healthcheck, Shell } = inspect().Config;
    expect([Healthcheck, Shell]).toEqual([
      { Test: ["CMD-SHELL", "id -u; pwd; false; echo not here"], Interval: 1e8, Retries: 9 },
      ["/bin/sh", "-ec"],
    ]);
    await until(() => health().Log.length > 0);
    expect(health().Log[0]).toMatchObject({ ExitCode: 1, Output: "1000\n/tmp\n" });
  });

  test("can be declined, and goes with a commit", async () => {
    const image = imageWith(INSTRUCTION);
    run(["--no-healthcheck"], image);
    expect([inspect().State.Health, listed("none")]).toEqual([undefined, "checked"]);
    sandbox.ok(["rm", "-f", "checked"]);
    run(["--health-retries", "1"], image);
    await until(() => status() === "unhealthy");
    sandbox.ok(["commit", "checked", "committed"]);
    expect(
      JSON.parse(
        sandbox.ok(["inspect", "--type", "image", "-f", "{{json .Config.Healthcheck}}", "committed"]),
      ),
    ).toEqual({ Test: ["CMD-SHELL", "[ -e /well ]"], Interval: 1e8, Retries: 1 });
    sandbox.ok(["rmi", "committed"]);
  });

  test("that is none, of a kind that nobody knows or without a command, is not executed", () => {
    run(["--health-interval", "100ms"]);
    expect(inspect().State.Health).toBeUndefined();
    sandbox.ok(["rm", "-f", "checked"]);
    run([], imageWith("HEALTHCHECK NONE"));
    expect(inspect().State.Health).toBeUndefined();
  });
});

test("it has the container's confinement, and no terminal or input", async () => {
  run(
    ["--cap-drop", "ALL", ...check("grep -E 'CapEff|Seccomp:' /proc/self/status; cat; tty")],
    "busybox",
    SLEEP,
  );
  await until(() => health().Log.length > 0);
  expect(health().Log[0]!.Output).toBe("CapEff:\t0000000000000000\nSeccomp:\t2\nnot a tty\n");
});

test("while it is paused it is not checked", async () => {
  run(check("true"));
  await until(() => status() === "healthy");
  sandbox.ok(["pause", "checked"]);
  const before = events("-f", "event=exec_start").length;
  await Bun.sleep(500);
  // One may have begun just before.
  expect(events("-f", "event=exec_start").length).toBeLessThanOrEqual(before + 1);
  expect(shown()).toMatch(/ \(Paused\)$/);
  sandbox.ok(["unpause", "checked"]);
  await until(() => events("-f", "event=exec_start").length > before + 1);
});

describe("the end comes in the middle of a check", () => {
  const begun = () => until(() => sandbox.ok(["top", "checked"]).includes("sleep 3000"));

  test.each([
    ["stop", ["stop", "-t", "0", "checked"]],
    ["rm -f", ["rm", "-f", "checked"]],
    ["restart", ["restart", "-t", "0", "checked"]],
  ])("by %s", async (_, words) => {
    run(check("sleep 3000"));
    await begun();
    sandbox.ok(words);
    if (words[0] === "restart") await begun();
  });

  test("by itself, and it is removed", async () => {
    const script = "while ! ps | grep -q '[s]leep 3000'; do sleep 0.05; done";
    run(["--rm", ...check("sleep 3000")], "busybox", ["sh", "-c", script]);
    await until(() => sandbox.ok(["ps", "-aq"]) === "");
  });

  test("with its monitor", async () => {
    run(check("sleep 3000"));
    await begun();
    const { Pid } = inspect().State;
    process.kill(Number(statusField(Pid, "PPid")), "SIGKILL");
    await until(() => !existsSync(`/proc/${Pid}`));
    expect(sandbox.bocker(["ps"]).stderr).toContain("went down with its monitor");
    await until(() => sandbox.processes().length === 0);
  });
});

test("whoever checks is killed: the next check comes all the same", async () => {
  run(check("[ -e /well ] || exec sleep 3000"));
  await until(() => sandbox.ok(["top", "checked"]).includes("sleep 3000"));
  const callers = sandbox.processes().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("\0attend\0");
    } catch {
      return false;
    }
  });
  expect(callers).toHaveLength(1);
  sandbox.ok(["exec", "checked", "touch", "/well"]);
  process.kill(Number(callers[0]), "SIGKILL");
  await until(() => status() === "healthy");
});

test.each([
  [
    ["--health-interval", "5"],
    'invalid argument "5" for "--health-interval" flag: time: missing unit in duration "5"',
  ],
  [["--health-timeout", "x"], 'invalid argument "x" for "--health-timeout" flag: time: invalid duration "x"'],
  [["--health-interval=-1s"], "--health-interval cannot be negative"],
  [["--health-start-period=-1s"], "--health-start-period cannot be negative"],
  [["--health-retries", "-1"], "--health-retries cannot be negative"],
  [["--health-interval", "1us"], "Interval in Healthcheck cannot be less than 1ms"],
  [["--health-start-interval", "10us"], "StartInterval in Healthcheck cannot be less than 1ms"],
  [["--no-healthcheck", "--health-cmd", "x"], "--no-healthcheck conflicts with --health-* options"],
])("%j is refused", (options, message) => {
  const { code, stderr } = sandbox.bocker(["create", ...options, "busybox", "true"]);
  expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining(message)]);
  expect(code).not.toBe(0);
  expect(sandbox.bocker(["ps", "-f", "health=well"]).stderr).toContain(
    "Unrecognised filter value for health: well",
  );
});

describe("--health-on-failure", () => {
  const sick = (action: string, ...options: string[]) =>
    run([...check("false", "--health-retries", "2", "--health-on-failure", action), ...options]);
  const state = () => {
    const { State, RestartCount } = inspect();
    return [State.Status, State.ExitCode, RestartCount];
  };

  test("kill ends it, as anything could", async () => {
    sick("kill");
    expect(inspect().Config.HealthcheckOnFailureAction).toBe("kill");
    await until(() => state()[0] === "exited");
    expect(state()).toEqual(["exited", 137, 0]);
    expect(events("-f", "event=kill", "-f", "event=die", "-f", "type=container").slice(-2)).toEqual([
      "kill",
      "die",
    ]);
  });

  test("kill with a restart policy starts it again", async () => {
    sick("kill", "--restart", "always");
    await until(() => inspect().RestartCount >= 2);
    sandbox.ok(["stop", "-t", "0", "checked"]);
  });

  test("stop stops it for good, and with the time it is given", async () => {
    const command = ["sh", "-c", "trap 'sleep 0.5; exit 5' TERM; while :; do sleep 0.05; done"];
    const failing = check("false", "--health-retries", "1", "--health-on-failure", "stop");
    run([...failing, "--restart", "always"], "busybox", command);
    await until(() => state()[0] === "exited");
    expect(state()).toEqual(["exited", 5, 0]);
    await until(() => events("-f", "type=container").at(-1) === "stop");
  });

  test("restart stops and starts it", async () => {
    sick("restart", "--stop-signal", "KILL");
    const pid = inspect().State.Pid;
    await until(() => ![pid, 0].includes(inspect().State.Pid));
    await until(() => events("-f", "event=restart").length > 0);
  });

  test("none leaves it as it is", async () => {
    sick("none");
    await until(() => health().FailingStreak > 4);
    expect(state()).toEqual(["running", 0, 0]);
  });

  test("a container of --rm is gone", async () => {
    sick("kill", "--rm");
    await until(() => sandbox.ok(["ps", "-aq"]) === "");
  });

  test.each([
    [["--health-on-failure", "kill"], "--health-on-failure needs a health check"],
    [["--health-on-failure", "explode"], "must be one of none, kill, restart, stop"],
    [["--health-on-failure", "restart", "--rm"], "conflicting options: --health-on-failure restart and --rm"],
    [
      ["--health-on-failure", "kill", "--no-healthcheck"],
      "--no-healthcheck conflicts with --health-* options",
    ],
  ])("%j is refused", (options, message) => {
    expect(sandbox.bocker(["create", ...options, "busybox", "true"]).stderr).toContain(message);
  });
});
