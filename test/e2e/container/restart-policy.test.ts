/** `--restart`: containers that start again when they have ended, though there is no daemon. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { until, untilSync } from "../wait.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());
afterEach(() => {
  sandbox.bocker(["rm", "-f", "again"]);
  // Whoever waited to start it has gone, too.
  untilSync(() => waiters().length === 0);
});

const waiters = () =>
  sandbox.processes().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("attend");
    } catch {
      return false;
    }
  });
const run = (policy: string, script: string) =>
  sandbox.ok([
    "run",
    "-d",
    "--name",
    "again",
    "--network",
    "none",
    "--restart",
    policy,
    "busybox",
    "sh",
    "-c",
    script,
  ]);
const inspect = (format: string) => sandbox.ok(["inspect", "-f", format, "again"]);
const count = () => Number(inspect("{{.RestartCount}}"));
const status = () => inspect("{{.State.Status}}");
/** An empty file in its root. */
const put = (name: string) => {
  const directory = mkdtempSync(join(sandbox.directory, "put-"));
  writeFileSync(join(directory, name), "");
  sandbox.ok(["cp", join(directory, name), "again:/"]);
};

test("always: again and again, with longer waits between, until somebody stops it", async () => {
  run("always", "echo started; [ ! -e /stay ] || sleep 1000; exit 3");
  await until(() => count() >= 3);
  await until(() => status() === "restarting");
  expect(
    inspect(
      "{{.State.Running}} {{.State.Restarting}} {{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}",
    ),
  ).toBe("true true 3 always");
  expect(sandbox.ok(["ps", "--format", "{{.Names}} {{.Status}}"])).toMatch(/^again Restarting \(3\) /);
  expect(sandbox.ok(["ps", "-q", "-f", "status=restarting"])).not.toBe("");
  expect(sandbox.bocker(["exec", "again", "true"])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^Error: Container \w{64} is restarting, wait until the container is running\n$/,
    ),
  });
  expect(sandbox.bocker(["rm", "again"])).toMatchObject({
    code: 1,
    stderr:
      'Error: cannot remove container "again": container is restarting: stop the container before removing or force remove\n',
  });
  expect(sandbox.ok(["container", "prune", "-f"])).not.toContain("again");
  sandbox.ok(["stop", "again"]);
  expect([status(), inspect("{{.State.ExitCode}}")]).toEqual(["exited", "3"]);
  await until(() => waiters().length === 0);
  const times = sandbox.ok(["logs", "again"]).split("\n").length;
  expect(times).toBeGreaterThanOrEqual(4);
  // Somebody starts it: from the beginning.
  expect(count()).toBeGreaterThanOrEqual(3);
  put("stay");
  sandbox.ok(["start", "again"]);
  expect([status(), count()]).toEqual(["running", 0]);
});

test("on-failure: as often as it says, and not after success", async () => {
  run("on-failure:2", "echo started; exit 1");
  await until(() => sandbox.ok(["logs", "again"]).split("\n").length === 3 && status() === "exited");
  expect([count(), inspect("{{.HostConfig.RestartPolicy.MaximumRetryCount}}")]).toEqual([2, "2"]);
  await Bun.sleep(500);
  await until(() => waiters().length === 0);
  expect([status(), count()]).toEqual(["exited", 2]);
  sandbox.ok(["rm", "again"]);
  run("on-failure", "exit 0");
  await until(() => status() === "exited");
  await Bun.sleep(300);
  expect([status(), count()]).toEqual(["exited", 0]);
});

test("a container that is killed or stopped stays so; one that is only told something does not", async () => {
  run("unless-stopped", "trap 'exit 5' USR1; echo ready; while :; do sleep 0.1; done");
  const isReady = (times: number) => () =>
    sandbox.ok(["logs", "again"]).split("\n").filter(Boolean).length === times;
  await until(isReady(1));
  sandbox.ok(["kill", "-s", "USR1", "again"]);
  await until(isReady(2));
  // Its program is there before what is known of it.
  await until(() => status() === "running");
  expect(count()).toBe(1);
  sandbox.ok(["kill", "again"]);
  await until(() => status() === "exited");
  await Bun.sleep(500);
  expect(status()).toBe("exited");
  sandbox.ok(["start", "again"]);
  expect(count()).toBe(0);
  sandbox.ok(["stop", "-t", "0", "again"]);
  await Bun.sleep(500);
  expect(status()).toBe("exited");
  sandbox.ok(["restart", "-t", "0", "again"]);
  expect(status()).toBe("running");
  sandbox.ok(["rm", "-f", "again"]);
});

test("killed and removed while it waits", async () => {
  run("always", "exit 1");
  await until(() => count() >= 2);
  await until(() => status() === "restarting");
  sandbox.ok(["kill", "again"]);
  expect(status()).toBe("exited");
  sandbox.ok(["start", "again"]);
  await until(() => status() === "restarting");
  sandbox.ok(["rm", "-f", "again"]);
  expect(sandbox.ok(["ps", "-aq"])).toBe("");
});

test("the policy is changed while it runs, and while it waits", async () => {
  run("no", "while [ ! -e /go ]; do sleep 0.1; done; exit 1");
  expect(sandbox.ok(["update", "--restart", "on-failure:1", "again"])).toBe("again");
  put("go");
  await until(() => count() === 1);
  await until(() => status() === "exited");
  sandbox.ok(["update", "--restart", "always", "again"]);
  // It has ended: nothing begins by that.
  await Bun.sleep(300);
  expect(status()).toBe("exited");
  sandbox.ok(["start", "again"]);
  await until(() => count() >= 1);
  sandbox.ok(["update", "--restart", "no", "again"]);
  await until(() => status() === "exited");
  await Bun.sleep(700);
  expect([status(), inspect("{{.HostConfig.RestartPolicy.Name}}")]).toEqual(["exited", "no"]);
});

test("logs -f goes on from start to start, and ends when it is stopped", async () => {
  run("always", "echo started; sleep 0.2");
  const [program, ...words] = sandbox.inside([sandbox.binary, "logs", "-f", "again"]);
  const child = spawn(program, words, { env: sandbox.environment, stdio: ["ignore", "pipe", "ignore"] });
  let seen = "";
  child.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  await until(() => seen.split("\n").length > 3);
  sandbox.ok(["stop", "-t", "0", "again"]);
  expect(await ended).toBe(0);
});

test("Ctrl-C of whoever has started it ends it", async () => {
  const command = ["run", "--name", "again", "--network", "none", "--restart", "always", "busybox"];
  const script = "trap 'exit 7' INT; echo ready; while :; do sleep 0.1; done";
  const [program, ...words] = sandbox.inside([sandbox.binary, ...command, "sh", "-c", script]);
  const child = spawn(program, words, { env: sandbox.environment, stdio: ["ignore", "pipe", "ignore"] });
  let seen = "";
  child.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  await until(() => seen === "ready\n");
  child.kill("SIGINT");
  expect(await ended).toBe(7);
  await Bun.sleep(400);
  expect([status(), count()]).toEqual(["exited", 0]);
});

test("who waits to start it is killed: the next command says so, and it starts", async () => {
  run("always", "exit 1");
  await until(() => count() >= 4);
  await until(() => status() === "restarting" && waiters().length === 1);
  process.kill(Number(waiters()[0]), "SIGKILL");
  expect(status()).toBe("exited");
  const before = count();
  await Bun.sleep(5500);
  const { code, stdout } = sandbox.bocker(["system", "check"]);
  expect([code, stdout]).toEqual([
    1,
    expect.stringContaining("was not started again by its restart policy: who waited to do so was killed"),
  ]);
  expect(sandbox.bocker(["ps"]).stderr).toContain("it starts now");
  await until(() => count() > before);
}, 30_000);

test("what is no policy is refused", () => {
  for (const [policy, message] of [
    [
      "sometimes",
      "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    ],
    ["always:3", "invalid restart policy: maximum retry count cannot be used with restart policy 'always'"],
    ["on-failure:x", "invalid restart policy format: maximum retry count must be an integer"],
    ["on-failure:-1", "invalid restart policy: maximum retry count cannot be negative"],
  ]) {
    const { code, stderr } = sandbox.bocker(["create", "--restart", policy!, "busybox", "true"]);
    expect([policy, code, stderr.split("\n")[0]]).toEqual([policy, 125, `bocker: ${message}`]);
  }
  expect(sandbox.bocker(["run", "--rm", "--restart", "always", "busybox", "true"])).toMatchObject({
    code: 125,
    stderr: expect.stringContaining("conflicting options: cannot specify both --restart and --rm"),
  });
});

test("nothing of it reaches a container's own directory", () => {
  run("always", "sleep 1000");
  const id = inspect("{{.Id}}");
  expect(sandbox.execute(["ls", "-A", join(sandbox.data, "containers", id)]).stdout).not.toContain("restart");
});

test("a start by the policy that fails is the last, and the container says why", async () => {
  const directory = mkdtempSync(join(sandbox.directory, "source-"));
  const mount = `type=bind,source=${directory},target=/mounted`;
  const script = "while [ -e /mounted/wait ]; do sleep 0.05; done; exit 3";
  writeFileSync(join(directory, "wait"), "");
  const options = ["--name", "again", "--network", "none", "--restart", "always", "--mount", mount];
  sandbox.ok(["run", "-d", ...options, "busybox", "sh", "-c", script]);
  renameSync(directory, `${directory}-away`);
  rmSync(join(`${directory}-away`, "wait"));
  await until(() => inspect("{{.State.Error}}") !== "");
  expect(inspect("{{.State.Error}}")).toContain(directory);
  await until(() => waiters().length === 0);
  expect([status(), inspect("{{.State.ExitCode}}"), count()]).toEqual(["exited", "128", 1]);
  renameSync(`${directory}-away`, directory);
  writeFileSync(join(directory, "wait"), "");
  sandbox.ok(["start", "again"]);
  expect([status(), inspect("{{.State.Error}}"), count()]).toEqual(["running", "", 0]);
});
