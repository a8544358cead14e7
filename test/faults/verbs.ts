/** The commands that change something, as the tests of faults try them: prepared, run, seen to have worked, undone. */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../e2e/busybox.ts";
import { imageOf, indexOf, layerOf, tarOf } from "../e2e/image/layout.ts";
import { Registry } from "../e2e/image/registry.ts";
import type { Result, Sandbox } from "../e2e/sandbox.ts";

export interface World {
  sandbox: Sandbox;
  registry: Registry;
  /** Of an image of three layers in the registry. */
  reference: string;
  /** Of an index of three platforms. */
  whole: string;
}

/** A sandbox with an image, a registry with another, a tree for `init`; whatever comes once only has come. */
export async function makeWorld(): Promise<World> {
  const sandbox = busyboxSandbox();
  const registry = await Registry.start(sandbox, "127.0.0.1:5000");
  const image = imageOf(
    [1, 2, 3].map((layer) =>
      layerOf(tarOf((root) => writeFileSync(join(root, `file${layer}`), "x".repeat(layer * 5000)))),
    ),
  );
  const reference = registry.push("killed:1", image);
  const platforms = Object.fromEntries(
    ["amd64", "arm64", "s390x"].map((architecture) => {
      const layer = layerOf(tarOf((root) => writeFileSync(join(root, "platform"), architecture)));
      return [`linux/${architecture}`, imageOf([layer], { config: { architecture } })];
    }),
  );
  const whole = registry.push("whole:1", { index: indexOf(platforms), images: Object.values(platforms) });
  sandbox.ok(["pull", "-q", "--all-platforms", whole]);
  sandbox.ok(["save", "-o", join(sandbox.directory, "whole.tar"), whole]);
  sandbox.ok(["rmi", whole]);
  mkdirSync(join(sandbox.directory, "tree/deep"), { recursive: true });
  for (const name of ["a", "deep/b", "deep/c"]) writeFileSync(join(sandbox.directory, "tree", name), name);
  // The bridge, the table, compiled filters.
  sandbox.ok(["run", "--rm", "-p", "7000:80", "-v", "warm:/x", "-m", "32m", "busybox", "true"]);
  return { sandbox, registry, reference, whole };
}

export async function removeWorld({ sandbox, registry }: World): Promise<void> {
  await registry.stop();
  sandbox.remove();
}

export interface Verb {
  /** Makes what the command works on, also when it is there already. */
  prepare?: () => void;
  words: () => string[];
  /** Takes away what the command has made, if it has. */
  undo: () => void;
  /** True when the whole effect is there; asked after the command said so. */
  worked: () => boolean;
}

export const RUN = ["-p", "7001:80", "-v", "/anonymous", "-v", "named:/named", "-m", "32m", "--init"];

/** By name. The world is asked for when a verb is used, so that tests can be listed before there is one. */
export function verbsOf(world: () => World): Record<string, Verb> {
  const quietly = (...words: string[]) => void world().sandbox.bocker(words);
  const exists = (name: string) => world().sandbox.bocker(["inspect", name]).code === 0;
  const isRunning = () => world().sandbox.ok(["inspect", "-f", "{{.State.Running}}", "kay"]);
  const undoContainer = () => quietly("rm", "-f", "-v", "kay");
  const undoImage = () => quietly("rmi", "-f", "k-image");
  const undoWhole = () => quietly("rmi", "-f", world().whole);
  const platformsHere = () =>
    ["amd64", "arm64", "s390x"].filter(
      (platform) =>
        world().sandbox.bocker(["inspect", "--platform", `linux/${platform}`, world().whole]).code === 0,
    ).length;
  const undoVolumes = () => quietly("volume", "rm", "-f", "k-copy", "k-volume", "k-volume.1");
  const write = (content: string) =>
    quietly("run", "--rm", "-v", "k-volume:/v", "busybox", "sh", "-c", `echo ${content} >/v/file`);
  const hasVolume = (name: string, content: string) => {
    const { stdout } = world().sandbox.bocker([
      "run",
      "--rm",
      "-v",
      `${name}:/v`,
      "busybox",
      "cat",
      "/v/file",
    ]);
    return stdout === `${content}\n`;
  };
  return {
    create: {
      words: () => ["create", "--name", "kay", ...RUN, "busybox", "true"],
      undo: undoContainer,
      worked: () => exists("kay"),
    },
    start: {
      prepare: () => quietly("create", "--name", "kay", ...RUN, "busybox", "sleep", "1000"),
      words: () => ["start", "kay"],
      undo: undoContainer,
      worked: () => isRunning() === "true",
    },
    "run --rm": {
      words: () => ["run", "--rm", "--name", "kay", ...RUN, "busybox", "true"],
      undo: undoContainer,
      worked: () => !exists("kay"),
    },
    "run -d": {
      words: () => ["run", "-d", "--name", "kay", ...RUN, "busybox", "sleep", "1000"],
      undo: undoContainer,
      worked: () => isRunning() === "true",
    },
    stop: {
      prepare: () => {
        quietly("run", "-d", "--name", "kay", "--stop-signal", "KILL", "busybox", "sleep", "1000");
        quietly("start", "kay");
      },
      words: () => ["stop", "kay"],
      undo: () => quietly("rm", "-f", "kay"),
      worked: () => isRunning() === "false",
    },
    pause: {
      prepare: () => {
        quietly("run", "-d", "--name", "kay", "busybox", "sleep", "1000");
        quietly("unpause", "kay");
      },
      words: () => ["pause", "kay"],
      undo: () => quietly("rm", "-f", "kay"),
      worked: () => world().sandbox.ok(["inspect", "-f", "{{.State.Status}}", "kay"]) === "paused",
    },
    "health check": {
      prepare: () => {
        const check = ["--health-cmd", "echo well", "--health-interval", "1h"];
        quietly("run", "-d", "--name", "kay", ...check, "busybox", "sleep", "1000");
        quietly("start", "kay");
      },
      words: () => ["attend", "kay"],
      undo: () => quietly("rm", "-f", "kay"),
      // Something was found: what could not be executed is a result, too.
      worked: () => world().sandbox.ok(["inspect", "-f", "{{len .State.Health.Log}}", "kay"]) !== "0",
    },
    update: {
      prepare: () => {
        quietly("run", "-d", "--name", "kay", "-m", "32m", "busybox", "sleep", "1000");
        quietly("update", "-m", "32m", "--memory-swap", "64m", "kay");
      },
      words: () => ["update", "-m", "128m", "--memory-swap", "256m", "--pids-limit", "77", "kay"],
      undo: () => quietly("rm", "-f", "kay"),
      worked: () => world().sandbox.ok(["inspect", "-f", "{{.HostConfig.PidsLimit}}", "kay"]) === "77",
    },
    "rm -f": {
      prepare: () => quietly("run", "-d", "--name", "kay", ...RUN, "busybox", "sleep", "1000"),
      words: () => ["rm", "-f", "-v", "kay"],
      undo: undoContainer,
      worked: () => !exists("kay"),
    },
    commit: {
      prepare: () =>
        quietly("run", "--name", "source", "busybox", "sh", "-c", "echo x >/new; rm /etc/group; mkdir /d"),
      words: () => ["commit", "source", "k-image"],
      undo: undoImage,
      worked: () => exists("k-image"),
    },
    init: {
      words: () => ["init", join(world().sandbox.directory, "tree"), "k-image"],
      undo: undoImage,
      worked: () => exists("k-image"),
    },
    pull: {
      words: () => ["pull", world().reference],
      undo: () => quietly("rmi", "-f", world().reference),
      worked: () => exists(world().reference),
    },
    rmi: {
      prepare: () => quietly("pull", world().reference),
      words: () => ["rmi", world().reference],
      undo: () => quietly("rmi", "-f", world().reference),
      worked: () => !exists(world().reference),
    },
    "pull --all-platforms": {
      words: () => ["pull", "--all-platforms", world().whole],
      undo: undoWhole,
      worked: () => platformsHere() === 3,
    },
    load: {
      words: () => ["load", "-i", join(world().sandbox.directory, "whole.tar")],
      undo: undoWhole,
      worked: () => platformsHere() === 3,
    },
    // The name's own is among them: another one is unpacked first.
    "rmi --platform": {
      prepare: () => {
        quietly("rmi", "-f", world().whole);
        quietly("pull", "--all-platforms", world().whole);
      },
      words: () => ["rmi", "--platform", "linux/amd64,linux/s390x", world().whole],
      undo: undoWhole,
      worked: () => platformsHere() === 1,
    },
    fork: {
      prepare: () => {
        const changes = "echo x >/new; ln /new /other; rm /etc/group; echo x >/own/file; exec sleep 1000";
        quietly("run", "-d", "--name", "forked", "-v", "/own", "busybox", "sh", "-c", changes);
        quietly("start", "forked");
      },
      words: () => ["fork", "--name", "kay", "forked"],
      undo: () => quietly("rm", "-f", "-v", "kay", "forked"),
      worked: () => exists("kay"),
    },
    cp: {
      prepare: () => quietly("create", "--name", "kay", ...RUN, "busybox", "true"),
      words: () => ["cp", join(world().sandbox.directory, "tree"), "kay:/named"],
      undo: undoContainer,
      worked: () => world().sandbox.bocker(["cp", "kay:/named/tree/deep/c", "-"]).code === 0,
    },
    "exec --undo": {
      prepare: () => {
        quietly("run", "-d", "--name", "kay", "busybox", "sleep", "1000");
        quietly("start", "kay");
      },
      words: () => ["exec", "--undo", "kay", "true"],
      undo: undoContainer,
      worked: () => world().sandbox.ok(["undo", "--list", "kay"]).split("\n").length === 2,
    },
    undo: {
      prepare: () => {
        quietly("run", "-d", "--name", "kay", "--stop-signal", "KILL", "busybox", "sleep", "1000");
        quietly("start", "kay");
        quietly("exec", "--undo", "kay", "sh", "-c", "rm /etc/passwd; exit 3");
        quietly("stop", "kay");
      },
      words: () => ["undo", "kay"],
      undo: undoContainer,
      worked: () => {
        quietly("start", "kay");
        return world().sandbox.bocker(["exec", "kay", "test", "-e", "/etc/passwd"]).code === 0;
      },
    },
    "volume clone": {
      prepare: () => write("1"),
      words: () => ["volume", "clone", "k-volume", "k-copy"],
      undo: undoVolumes,
      worked: () => hasVolume("k-copy", "1"),
    },
    "volume rollback": {
      prepare: () => {
        undoVolumes();
        write("1");
        quietly("volume", "snapshot", "k-volume");
        write("2");
      },
      words: () => ["volume", "rollback", "k-volume", "k-volume.1"],
      undo: undoVolumes,
      worked: () => hasVolume("k-volume", "1"),
    },
    tag: {
      words: () => ["tag", "busybox", "k-image"],
      undo: () => quietly("rmi", "k-image"),
      worked: () => exists("k-image"),
    },
  };
}

/** Calls that change files, processes, mounts or the network. strace counts each of them for itself. */
export const CHANGING =
  "mkdirat unlinkat renameat2 linkat symlinkat mknodat write pwrite64 fsync fdatasync ftruncate fchmodat flock sendmsg sendto bind clone3 vfork kill".split(
    " ",
  );
/** More than any command makes of one call: then something is wrong with the counting. */
export const MOST_CALLS = 2000;
const EVERY = process.env["BOCKER_LONG"] === "1" ? 1 : 20;

export interface Injected extends Result {
  /** False when the command came to its end before. */
  happened: boolean;
}

/** Whose calls are looked at: the engine's main thread's, those of all its threads, or of its processes, too. */
export type Whose = "own" | "threads" | "children";

/** Waits until strace has written down that a process has ended. */
function awaitEnd(trace: string, pid: string): void {
  for (let tries = 0; tries < 500; tries++) {
    if (new RegExp(`^${pid} .*\\+\\+\\+ (exited|killed)`, "m").test(readFileSync(trace, "utf8"))) return;
    Bun.sleepSync(10);
  }
  throw new Error(`strace does not say how ${pid} ended`);
}

/** Runs a command under strace: what it wrote, and the trace. */
function traced({ sandbox }: World, options: string[], words: string[], whose: Whose): [Result, string] {
  const trace = join(sandbox.directory, "trace");
  // With -D a monitor that goes on has its tracer to itself, and the command its own end.
  const follow = { own: [], threads: ["-f"], children: ["-f", "-D"] }[whose];
  const strace = ["strace", "-q", ...follow, "-o", trace, ...options];
  // strace ends as what it has traced: the shell makes an exit code of that. The tracer may stay, with its stderr.
  const script = `"$@" </dev/null >${trace}.stdout 2>${trace}.stderr & echo $! >${trace}.pid; wait $!; exit $?`;
  const { code } = sandbox.execute(["sh", "-c", script, "sh", ...strace, sandbox.binary, ...words]);
  const text = (path: string) => readFileSync(path, "utf8");
  if (whose === "children") awaitEnd(trace, text(`${trace}.pid`).trim());
  return [{ code, stdout: text(`${trace}.stdout`), stderr: text(`${trace}.stderr`) }, text(trace)];
}

/**
 * Runs a command to whose `at`th call of this name `what` happens ("signal=SIGKILL", "error=EIO"): in every
 * thread or process of those that makes so many.
 */
export function injected(
  world: World,
  call: string,
  at: number,
  what: string,
  words: string[],
  whose: Whose = "own",
): Injected {
  const options = ["-e", `trace=${call}`, "-e", `inject=${call}:${what}:when=${at}`];
  const [result, trace] = traced(world, options, words, whose);
  return { ...result, happened: /INJECTED|killed by SIGKILL/.test(trace) };
}

/**
 * The calls to try of each of these names: all, until a command comes to its end without (BOCKER_LONG=1); or each
 * EVERYth of those that it makes when nothing happens to it.
 */
export function callsToTry(
  world: World,
  verb: Verb,
  names: string[],
  whose: Whose = "own",
): { call: string; numbers: number[] }[] {
  const most = new Map<string, number>();
  if (EVERY > 1) {
    verb.prepare?.();
    const [, trace] = traced(world, ["-e", `trace=${names.join(",")}`], verb.words(), whose);
    verb.undo();
    const counts = new Map<string, number>();
    for (const [, pid = "", call = ""] of trace.matchAll(/^(\d+ +)?(\w+)\(/gm)) {
      const count = (counts.get(pid + call) ?? 0) + 1;
      counts.set(pid + call, count);
      most.set(call, Math.max(most.get(call) ?? 0, count));
    }
  }
  return names.map((call, offset) => {
    const last = EVERY > 1 ? (most.get(call) ?? 0) : MOST_CALLS;
    const numbers: number[] = [];
    for (let at = 1 + (offset % EVERY); at <= last; at += EVERY) numbers.push(at);
    return { call, numbers };
  });
}

/** As it has to be after any fault. `where`: the command and the fault. */
export function expectMended({ sandbox }: World, where: string): void {
  // A --rm container that nobody waits for any more has a moment left.
  const isLeft = () => sandbox.bocker(["ps", "-q", "-f", "name=kay"]).stdout !== "";
  for (let i = 0; i < 100 && where.startsWith("run --rm") && isLeft(); i++) Bun.sleepSync(20);
  expect([where, sandbox.bocker(["ps", "-a"]).code]).toEqual([where, 0]);
  expect([where, sandbox.bocker(["images"]).code]).toEqual([where, 0]);
  // A launcher whose engine was killed has its container's lock until it has ended, too.
  for (let tries = 0; ; tries++) {
    const { stdout } = sandbox.bocker(["system", "check", "--repair"]);
    // What it finds is only what nothing refers to: never something that has lost a part of itself.
    expect([where, stdout]).toEqual([
      where,
      expect.not.stringMatching(/lacks|lost|damaged|cannot|could not/),
    ]);
    const found = sandbox.bocker(["system", "check"]).stdout;
    if (found === "Nothing found.\n") return;
    if (tries === 20) expect([where, found]).toEqual([where, "Nothing found.\n"]);
    Bun.sleepSync(50);
  }
}

/** The same command once more, from whatever a fault has left: it works. */
export function expectRepeatable({ sandbox }: World, verb: Verb, where: string): void {
  verb.undo();
  verb.prepare?.();
  const again = sandbox.bocker(verb.words());
  expect([where, again.code, again.code === 0 ? "" : again.stderr]).toEqual([where, 0, ""]);
  expect([where, verb.worked()]).toEqual([where, true]);
  verb.undo();
}
