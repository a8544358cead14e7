/** create, start, ps, wait, inspect, rm: what a container is, from first to last. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { fromNow, untilSync } from "../wait.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => {
  for (const id of sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean)) sandbox.bocker(["rm", "-f", id]);
  sandbox.remove();
});

const create = (...words: string[]) => sandbox.ok(["create", "--network", "none", ...words]);
const inspect = (name: string) => JSON.parse(sandbox.ok(["inspect", name]))[0];

test("a container is created, started, ends, and starts again with its files", () => {
  const id = create("--name", "one", "busybox", "sh", "-c", "echo run >> /count; cat /count; exit 3");
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect(inspect("one").State).toMatchObject({ Status: "created", Running: false, Pid: 0, ExitCode: 0 });
  expect(sandbox.bocker(["start", "-a", "one"])).toEqual({ code: 3, stdout: "run\n", stderr: "" });
  expect(sandbox.bocker(["start", "-a", "one"])).toEqual({ code: 3, stdout: "run\nrun\n", stderr: "" });
  expect(inspect("one").State).toMatchObject({ Status: "exited", ExitCode: 3, OOMKilled: false });
  expect(sandbox.ok(["ps", "-a", "--filter", "name=one", "--format", "{{.ID}} {{.Status}}"])).toMatch(
    new RegExp(`^${id.slice(0, 12)} Exited \\(3\\) `),
  );
  expect(sandbox.ok(["rm", "one"])).toBe("one");
  expect(existsSync(join(sandbox.data, "containers", id))).toBe(false);
  expect(existsSync(join(sandbox.run, "containers", id))).toBe(false);
});

test("a start that fails is told, also later, and changes nothing else", () => {
  create("--name", "one", "busybox", "no-such-program");
  const NOT_FOUND = 'exec: "no-such-program": executable file not found in $PATH';
  const { code, stderr } = sandbox.bocker(["start", "one"]);
  expect([code, stderr]).toEqual([1, expect.stringContaining(NOT_FOUND)]);
  expect(inspect("one").State).toMatchObject({
    Status: "created",
    ExitCode: 127,
    Error: expect.stringContaining(NOT_FOUND),
    StartedAt: "0001-01-01T00:00:00Z",
    FinishedAt: "0001-01-01T00:00:00Z",
  });
  const statusOf = (name: string) =>
    sandbox.ok(["ps", "-a", "-f", `name=${name}`, "--format", "{{.Status}}"]);
  expect([statusOf("one"), sandbox.ok(["wait", "one"])]).toEqual(["Created", "127"]);

  const source = join(sandbox.directory, "source");
  mkdirSync(source);
  const mount = `type=bind,source=${source},target=/mounted`;
  create("--name", "two", "--mount", mount, "busybox", "sh", "-c", "exit 3");
  sandbox.ok(["start", "two"]);
  sandbox.ok(["wait", "two"]);
  const { StartedAt, FinishedAt } = inspect("two").State;
  rmdirSync(source);
  expect(sandbox.bocker(["start", "two"]).code).toBe(1);
  const Status = "exited";
  const failed = { Status, ExitCode: 128, Error: expect.stringContaining(source), StartedAt, FinishedAt };
  expect(inspect("two").State).toMatchObject(failed);
  expect(statusOf("two")).toMatch(/^Exited \(128\) /);
  mkdirSync(source);
  sandbox.ok(["start", "two"]);
  sandbox.ok(["wait", "two"]);
  expect(inspect("two").State).toMatchObject({ Status, ExitCode: 3, Error: "" });
  sandbox.ok(["rm", "one", "two"]);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("a run that fails leaves a container that says why", () => {
  const run = (...words: string[]) => sandbox.bocker(["run", "--network", "none", ...words]).code;
  expect(run("--name", "one", "busybox", "/etc")).toBe(126);
  expect(inspect("one").State).toMatchObject({ Status: "created", ExitCode: 126 });
  expect(inspect("one").State.Error).toContain("/etc");
  expect(run("--rm", "--name", "two", "busybox", "no-such-program")).toBe(127);
  expect(sandbox.ok(["ps", "-aq", "-f", "name=two"])).toBe("");
  sandbox.ok(["rm", "one"]);
});

test("standard input of a created container", () => {
  create("-i", "--name", "cat", "busybox", "cat");
  expect(sandbox.bocker(["start", "-ai", "cat"], "through\n").stdout).toBe("through\n");
  sandbox.ok(["rm", "cat"]);
});

test("inspect tells what the kernel tells", () => {
  const id = sandbox.ok([
    "run",
    "-d",
    "--name",
    "seen",
    "--network",
    "none",
    "-e",
    "A=b",
    "--label",
    "k=v",
    "busybox",
    "sleep",
    "1000",
  ]);
  const { State, Id, Config, Path, Args, Name } = inspect("seen");
  expect([Id, Name, Path, Args]).toEqual([id, "/seen", "sleep", ["1000"]]);
  expect(readFileSync(`/proc/${State.Pid}/cmdline`, "utf8")).toBe("sleep\x001000\0");
  expect(readFileSync(`/proc/${State.Pid}/environ`, "utf8").split("\0")).toContain("A=b");
  expect(Config.Labels).toEqual({ k: "v" });
  expect(Math.abs(Date.parse(State.StartedAt) - Date.now())).toBeLessThan(60_000);
  const running = sandbox.bocker(["rm", "seen"]);
  expect([running.code, running.stderr]).toEqual([
    1,
    'Error: cannot remove container "seen": container is running: stop the container before removing or force remove\n',
  ]);
  expect(sandbox.ok(["rm", "-f", "seen"])).toBe("seen");
  expect(existsSync(`/proc/${State.Pid}`)).toBe(false);
});

test("names are one's own, prefixes are enough when they are", () => {
  const id = create("--name", "taken", "busybox", "true");
  const conflict = sandbox.bocker(["create", "--name", "taken", "busybox", "true"]);
  // As docker's: the daemon refuses it, not the command line.
  expect(conflict.code).toBe(1);
  expect(conflict.stderr).toContain(
    `Error: Conflict. The container name "/taken" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
  );
  expect(inspect(id.slice(0, 10)).Name).toBe("/taken");
  expect(inspect("/taken").Id).toBe(id);
  // Of 17 ids two begin with the same digit.
  const ids = [id, ...Array.from({ length: 16 }, () => create("busybox", "true"))];
  const first = ids.map((one) => one[0]!).find((digit, at, all) => all.indexOf(digit) !== at)!;
  expect(sandbox.bocker(["rm", first]).stderr).toBe(
    `Error: multiple IDs found with provided prefix: ${first}\n`,
  );
  expect(sandbox.ok(["rm", ...ids]).split("\n")).toEqual(ids);
  expect(sandbox.bocker(["rm", "nope"])).toEqual({
    code: 1,
    stdout: "",
    stderr: "Error: No such container: nope\n",
  });
  expect(sandbox.bocker(["rm", "-f", "nope"]).code).toBe(0);
});

test("a name that cannot be had ends a run that had begun, and nothing is left of it", () => {
  create("--name", "mine", "busybox", "true");
  const run = (name: string) =>
    sandbox.bocker(["run", "--rm", "--network", "none", "-v", "/x", "--name", name, "busybox", "true"]);
  // Its launcher is at work in the very directories that are to go.
  for (let i = 0; i < 30; i++)
    expect(run("mine")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('The container name "/mine" is already in use'),
    });
  for (const name of ["m", "-mine", "mine/2"])
    expect(run(name).stderr).toContain(`Invalid container name (${name}), only [a-zA-Z0-9]`);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  sandbox.ok(["rm", "mine"]);
});

test("ps shows what it is asked for", () => {
  const running = sandbox.ok([
    "run",
    "-d",
    "--network",
    "none",
    "--name",
    "up",
    "--label",
    "tier=web",
    "busybox",
    "sleep",
    "1000",
  ]);
  const created = create("--name", "new", "busybox", "true");
  sandbox.ok(["run", "--network", "none", "--name", "done", "busybox", "true"]);
  const names = (...words: string[]) => sandbox.ok(["ps", "--format", "{{.Names}}", ...words]);
  expect(names()).toBe("up");
  expect(names("-a")).toBe("done\nnew\nup");
  expect(names("-l")).toBe("done");
  expect(names("-n", "2")).toBe("done\nnew");
  expect(names("-f", "status=created")).toBe("new");
  expect(names("-f", "exited=0")).toBe("done");
  expect(names("-a", "-f", "label=tier=web")).toBe("up");
  expect(names("-a", "-f", "ancestor=busybox", "-f", "name=^/u")).toBe("up");
  expect(sandbox.ok(["ps", "-aq", "--no-trunc"]).split("\n")).toContain(created);
  expect(JSON.parse(sandbox.ok(["ps", "--format", "json"])).ID).toBe(running.slice(0, 12));
  expect(sandbox.ok(["ps"]).split("\n")[0]).toMatch(
    /^CONTAINER ID {3}IMAGE {5}COMMAND {8}CREATED .* STATUS .* PORTS {5}NAMES$/,
  );
  expect(sandbox.bocker(["ps", "-f", "nope=1"]).code).toBe(1);
  sandbox.ok(["rm", "-f", "up", "new", "done"]);
});

test("wait waits for all", () => {
  const start = (script: string) =>
    sandbox.ok(["run", "-d", "--network", "none", "busybox", "sh", "-c", script]);
  const ids = [start("sleep 0.3; exit 4"), start("exit 5"), create("busybox", "true")];
  expect(sandbox.ok(["wait", ...ids])).toBe("4\n5\n0");
  sandbox.ok(["rm", ...ids]);
});

test("--cidfile is written once", () => {
  const path = join(sandbox.directory, "cid");
  const id = create("--cidfile", path, "busybox", "true");
  expect(readFileSync(path, "utf8")).toBe(id);
  const again = sandbox.bocker(["create", "--cidfile", path, "busybox", "true"]);
  expect([again.code, again.stderr.includes("container ID file found")]).toEqual([1, true]);
  sandbox.ok(["rm", id]);
});

test("exit codes of what cannot be started", () => {
  const run = (...words: string[]) =>
    sandbox.bocker(["run", "--rm", "--network", "none", "busybox", ...words]).code;
  expect([run("nope"), run("/etc/passwd"), run("/etc"), run("/nope/x"), run("sh", "-c", "exit 200")]).toEqual(
    [127, 126, 126, 127, 200],
  );
  expect(sandbox.bocker(["run", "--nope"]).code).toBe(125);
  expect(sandbox.ok(["ps", "-aq"])).toBe("");
});

test("a container gets another name, while it runs, too", () => {
  const id = sandbox.ok(["run", "-d", "--name", "before", "--network", "none", "busybox", "sleep", "1000"]);
  create("--name", "other", "busybox", "true");
  const since = fromNow();
  expect(sandbox.ok(["rename", "before", "after"])).toBe("");
  expect([inspect(id).Name, inspect("after").Id]).toEqual(["/after", id]);
  const refused = (...words: string[]) => {
    const { code, stderr } = sandbox.bocker(["rename", ...words]);
    expect(code).toBe(1);
    return stderr;
  };
  expect(refused("before", "x1")).toBe("Error: No such container: before\n");
  expect(refused("after", "other")).toMatch(
    /^Error: Conflict\. The container name "\/other" is already in use/,
  );
  expect(refused("after", "after")).toBe(
    "Error: Renaming a container with the same name as its current name\n",
  );
  expect(refused("after", "a b")).toMatch(/^Error: Invalid container name \(a b\)/);
  expect(refused("after", "")).toBe("Error: Neither old nor new names may be empty\n");
  expect(inspect(id).Name).toBe("/after");
  expect(sandbox.ok(["rename", "/after", "/again"])).toBe("");
  expect(sandbox.ok(["exec", "again", "echo", "alive"])).toBe("alive");
  const events = sandbox.ok(["events", "--since", since, "--until", "0s", "-f", "event=rename"]).split("\n");
  expect(events.map((line) => /rename .*\((.*)\)/.exec(line)![1])).toEqual([
    "image=busybox, name=after, oldName=/before",
    "image=busybox, name=again, oldName=/after",
  ]);
  sandbox.ok(["rm", "-f", "again", "other"]);
});

test("restart stops and starts", () => {
  const trap = ["sh", "-c", "trap 'exit 5' TERM; date >>/starts; while :; do sleep 0.05; done"];
  sandbox.ok(["run", "-d", "--name", "one", "--network", "none", "busybox", ...trap]);
  create("--name", "two", "busybox", "sleep", "1000");
  untilSync(() => sandbox.bocker(["exec", "one", "test", "-e", "/starts"]).code === 0);
  const before = inspect("one").State;
  const since = fromNow();
  expect(sandbox.ok(["restart", "-t", "20", "one", "two"])).toBe("one\ntwo");
  const after = inspect("one").State;
  expect([after.Running, after.Pid === before.Pid]).toEqual([true, false]);
  expect(Date.parse(after.StartedAt)).toBeGreaterThan(Date.parse(before.StartedAt));
  expect(inspect("two").State.Running).toBe(true);
  const events = sandbox.ok(["events", "--since", since, "--until", "0s", "-f", "container=one"]).split("\n");
  expect(events.map((line) => line.split(" ")[2])).toEqual(["kill", "die", "stop", "start", "restart"]);
  expect(events[1]).toContain("exitCode=5");
  const count = () => sandbox.ok(["exec", "one", "cat", "/starts"]).split("\n").length;
  untilSync(() => count() >= 2);
  expect(count()).toBe(2);
  sandbox.ok(["run", "-d", "--rm", "--name", "gone", "--network", "none", "busybox", "sleep", "1000"]);
  const refused = sandbox.bocker(["restart", "gone", "nobody", "two", "-s", "KILL"]);
  expect([refused.code, refused.stdout]).toEqual([1, "two\n"]);
  expect(refused.stderr).toBe(
    "Error: cannot restart container gone: it is one of --rm, which is removed when it stops\nError: No such container: nobody\n",
  );
  expect(inspect("gone").State.Running).toBe(true);
  sandbox.ok(["rm", "-f", "one", "two", "gone"]);
});

test("paused, it stands still, and goes on where it was", () => {
  // By a rename: the file is never empty.
  const count = [
    "sh",
    "-c",
    "i=0; while :; do i=$((i+1)); echo $i >/next; mv /next /count; usleep 5000; done",
  ];
  const id = sandbox.ok(["run", "-d", "--name", "one", "--network", "none", "busybox", ...count]);
  const counted = () => Number(readFileSync(`/proc/${inspect("one").State.Pid}/root/count`, "utf8"));
  untilSync(() => existsSync(`/proc/${inspect("one").State.Pid}/root/count`));
  const since = fromNow();
  // Of a copy that was killed: what mends that must not let go on what is paused.
  writeFileSync(join(sandbox.run, "containers", id, "frozen"), "");
  expect(sandbox.ok(["pause", "one"])).toBe("one");
  const before = counted();
  Bun.sleepSync(100);
  expect(counted()).toBe(before);
  expect(inspect("one").State).toMatchObject({ Status: "paused", Running: true, Paused: true });
  const listed = (...words: string[]) =>
    sandbox.ok(["ps", "--format", "{{.Names}} {{.State}} {{.Status}}", ...words]);
  expect(listed()).toMatch(/^one paused Up .* \(Paused\)$/);
  expect(listed("-f", "status=paused")).toMatch(/^one /);
  expect(listed("-f", "status=running")).toBe("");
  expect(sandbox.ok(["info", "-f", "{{.ContainersRunning}} {{.ContainersPaused}}"])).toBe("0 1");
  const refused = (...words: string[]) => {
    const { code, stderr } = sandbox.bocker(words);
    return [code, stderr];
  };
  const paused = (what: string) => [
    1,
    `Error: container ${id} is paused, unpause the container before ${what}\n`,
  ];
  expect(refused("exec", "one", "true")).toEqual(paused("exec"));
  expect(refused("attach", "one")).toEqual(paused("attach"));
  expect(refused("pause", "one")).toEqual([1, `Error: container ${id} is already paused\n`]);
  expect(refused("start", "one")).toEqual([
    1,
    "Error: cannot start a paused container, try unpause instead\n",
  ]);
  expect(refused("rm", "one")).toEqual([
    1,
    'Error: cannot remove container "one": container is paused and must be unpaused first\n',
  ]);
  // What freezes for a moment does not let go on what was paused.
  sandbox.ok(["commit", "one", "committed"]);
  sandbox.ok(["rmi", "committed"]);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
  expect([inspect("one").State.Paused, counted()]).toEqual([true, before]);
  expect(sandbox.ok(["unpause", "one"])).toBe("one");
  untilSync(() => counted() !== before);
  expect(counted()).toBeGreaterThan(before);
  expect(refused("unpause", "one")).toEqual([1, `Error: container ${id} is not paused\n`]);
  const events = sandbox.ok(["events", "--since", since, "--until", "0s", "-f", "container=one"]).split("\n");
  expect(events.map((line) => line.split(" ")[2])).toEqual(["pause", "commit", "unpause"]);
  sandbox.ok(["rm", "-f", "one"]);
  expect(refused("pause", "one")).toEqual([1, "Error: No such container: one\n"]);
});

test.each([
  ["stop", ["stop", "-t", "20"], 5],
  ["kill", ["kill"], 137],
  ["rm -f", ["rm", "-f"], undefined],
  ["restart", ["restart", "-t", "20"], "running"],
] as const)("%s reaches a paused container, too", (_, words, end) => {
  const trap = ["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.02; done"];
  const id = sandbox.ok(["run", "-d", "--name", "one", "--network", "none", "busybox", ...trap]);
  untilSync(() => sandbox.ok(["logs", "one"]) !== "");
  sandbox.ok(["pause", "one"]);
  const since = fromNow();
  expect(sandbox.ok([...words, "one"])).toBe("one");
  if (end !== undefined) {
    if (end !== "running") expect(sandbox.ok(["wait", "one"])).toBe(String(end));
    expect(inspect("one").State).toMatchObject({ Paused: false, Status: end === "running" ? end : "exited" });
  }
  const actions = sandbox
    .ok(["events", "--since", since, "--until", "0s", "-f", `container=${id}`, "--format", "{{.Action}}"])
    .split("\n");
  expect(actions.slice(0, 3)).toEqual(["kill", "unpause", "die"]);
  sandbox.bocker(["rm", "-f", "one"]);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("what does not run cannot be paused", () => {
  const id = create("--name", "idle", "busybox", "true");
  expect(sandbox.bocker(["pause", "idle"]).stderr).toBe(`Error: container ${id} is not running\n`);
  expect(sandbox.bocker(["unpause", "idle"]).stderr).toBe(`Error: container ${id} is not running\n`);
  sandbox.ok(["rm", "idle"]);
});
