/** What a program in a managed language hands on without meaning to (docs/security.md, "Traps"). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../e2e/busybox.ts";
import { cgroupNames } from "../e2e/cgroups.ts";
import { limitOf, statusField } from "../e2e/container/kernel.ts";
import { runDetached, script, withRunning } from "../e2e/container/running.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { compile, hostileRoot, shell } from "./hostile.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

/** A container started through other programs, which leave their mark on their children. Its first process's status. */
function startedBy(words: string[]): { status: string; pid: number; remove: () => void } {
  const command = [...words, sandbox.binary, "run", "-d", "--network", "none", IMAGE, "sleep", "1000"];
  const { code, stdout, stderr } = sandbox.execute(command);
  expect([code, stderr]).toEqual([0, ""]);
  const id = stdout.trim();
  const pid = Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", id]));
  return {
    status: readFileSync(`/proc/${pid}/status`, "utf8"),
    pid,
    remove: () => sandbox.ok(["rm", "-f", id]),
  };
}

function check(words: string[], verify: (status: string, pid: number) => void): void {
  const { status, pid, remove } = startedBy(words);
  try {
    verify(status, pid);
    const monitor = Number(statusField(status, "PPid"));
    verify(readFileSync(`/proc/${monitor}/status`, "utf8"), monitor);
  } finally {
    remove();
  }
}

/** Fields of /proc/PID/stat from the third on. */
const stat = (pid: number) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");

test("T1 signals: what the caller ignores or blocks, real-time signals too, the container does not", () => {
  const python = [
    "python3",
    "-c",
    "import os, signal, sys\nfor n in (1, 2, 10, 13, 17, 34, 35, 50, 64):\n  signal.signal(n, signal.SIG_IGN)\nsignal.pthread_sigmask(signal.SIG_BLOCK, [3, 12, 15, 40, 64])\nos.execvp(sys.argv[1], sys.argv[1:])",
  ];
  const { status, remove } = startedBy(python);
  remove();
  for (const set of ["SigIgn", "SigBlk", "SigCgt"])
    expect([set, statusField(status, set)]).toEqual([set, "0000000000000000"]);
  const inside = sandbox.execute([
    ...python,
    sandbox.binary,
    "run",
    "--rm",
    "--network",
    "none",
    IMAGE,
    "grep",
    "-E",
    "Sig(Ign|Blk)",
    "/proc/self/status",
  ]);
  expect(inside.stdout).toBe("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
});

test("T2 priority: nice, scheduling policy, I/O class", () => {
  check(["nice", "-n", "7"], (_, pid) => expect(stat(pid)[16]).toBe("0"));
  check(["chrt", "--idle", "0"], (_, pid) => expect(stat(pid)[38]).toBe("0"));
  check(["chrt", "--fifo", "3"], (_, pid) => expect([stat(pid)[37], stat(pid)[38]]).toEqual(["0", "0"]));
  check(["ionice", "-c", "3"], (_, pid) =>
    expect(sandbox.execute(["ionice", "-p", String(pid)]).stdout).toBe("none: prio 0\n"),
  );
});

test("T3 processors: the caller's affinity", () => {
  const all = statusField(readFileSync("/proc/1/status", "utf8"), "Cpus_allowed_list");
  check(["taskset", "-c", "0"], (status) => expect(statusField(status, "Cpus_allowed_list")).toBe(all!));
});

test("T4 personality: addresses stay random, the machine its own name", () => {
  check(["setarch", "--addr-no-randomize", "--read-implies-exec"], (_, pid) =>
    expect(readFileSync(`/proc/${pid}/personality`, "utf8")).toBe("00000000\n"),
  );
  const { stdout } = sandbox.execute([
    "setarch",
    "linux32",
    sandbox.binary,
    "run",
    "--rm",
    "--network",
    "none",
    IMAGE,
    "uname",
    "-m",
  ]);
  expect(stdout).toBe(script(sandbox, [], "uname -m").concat("\n"));
});

test("T5 umask, oom_score_adj and working directory of the caller", () => {
  const through = ["sh", "-c", 'umask 0777; echo 500 > /proc/self/oom_score_adj; cd /usr; exec "$@"', "sh"];
  const { status, pid, remove } = startedBy(through);
  expect(statusField(status, "Umask")).toBe("0022");
  expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8")).toBe("0\n");
  remove();
  // A directory that is gone.
  const gone = sandbox.execute([
    "sh",
    "-c",
    `mkdir ${sandbox.directory}/gone; cd ${sandbox.directory}/gone; rmdir ../gone; exec "$@"`,
    "sh",
    sandbox.binary,
    "run",
    "--rm",
    "--network",
    "none",
    IMAGE,
    "pwd",
  ]);
  // The runtime cannot start there; it says so, and nothing is made.
  expect([gone.code, gone.stdout]).toEqual([1, ""]);
  expect(gone.stderr).toContain("working directory was deleted");
});

test("T6 limits: those of the caller, and open files bocker's", () => {
  const raised = [
    "prlimit",
    "--nofile=64:4096",
    "--stack=4194304:8388608",
    "--core=1024:2048",
    "--memlock=65536",
    "--",
  ];
  const { pid, remove } = startedBy(raised);
  expect(limitOf(pid, "Max open files")).toEqual(["4096", "4096"]);
  expect(limitOf(pid, "Max stack size")).toEqual(["4194304", "8388608"]);
  expect(limitOf(pid, "Max core file size")).toEqual(["1024", "2048"]);
  expect(limitOf(pid, "Max locked memory")).toEqual(["65536", "65536"]);
  remove();
});

test("T7 descriptors: from 16 on after a gap, at exec and at start, too", () => {
  const leak = (words: string) => [
    "bash",
    "-c",
    `exec 16</etc 17</etc 40</etc 251</etc; ${sandbox.binary} ${words}`,
  ];
  const id = sandbox.ok(["create", "--network", "none", IMAGE, "sleep", "1000"]);
  expect(sandbox.execute(leak(`start ${id}`)).code).toBe(0);
  const pid = Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", id]));
  expect(readdirSync(`/proc/${pid}/fd`).sort()).toEqual(["0", "1", "2"]);
  expect(sandbox.execute(leak(`exec ${id} sh -c 'ls /proc/self/fd | wc -l'`)).stdout).toBe("4\n");
  const monitor = Number(statusField(pid, "PPid"));
  const fds = sandbox.execute(["ls", "-l", `/proc/${monitor}/fd`]).stdout;
  expect(fds).not.toMatch(/-> \/etc$/m);
  sandbox.ok(["rm", "-f", id]);
});

test("T8 keyring: the container does not hold the caller's session keyring", () => {
  const keys = compile(
    sandbox,
    "keys",
    '#include <stdio.h>\n#include <errno.h>\n#include <sys/syscall.h>\n#include <unistd.h>\nint main(void){long r=syscall(SYS_keyctl,0,-3,0,0,0);printf("%ld\\n",r<0?-errno:r);return 0;}\n',
  );
  const mine = Number(sandbox.execute([keys]).stdout);
  const inside = script(sandbox, ["--security-opt", "seccomp=unconfined", "-v", `${keys}:/keys:ro`], "/keys");
  expect(Number(inside)).toBeGreaterThan(0);
  expect(Number(inside)).not.toBe(mine);
});

test("T9 a monitor that is killed while its container starts leaves no program running", () => {
  const marker = `trap-${process.pid}`;
  for (let i = 0; i < 10; i++) {
    shell(
      sandbox,
      `$BOCKER run -d --network none ${IMAGE} sh -c 'sleep 1000; : ${marker}' & b=$!; sleep 0.0${i}; for c in $(cat /proc/$b/task/*/children 2>/dev/null); do kill -9 $c; done; wait $b 2>/dev/null; true`,
    );
  }
  const ids = sandbox.ok(["ps", "-aq", "--no-trunc"]).split("\n").filter(Boolean);
  expect(ids).not.toEqual([]);
  for (const id of ids) sandbox.ok(["rm", "-f", id]);
  expect(cgroupNames().filter((name) => ids.includes(name))).toEqual([]);
  const left = readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(`: ${marker}`);
    } catch {
      return false;
    }
  });
  expect(left).toEqual([]);
});

test("T10 a process id that has become another's is not signalled", () => {
  const { id } = runDetached(sandbox, []);
  const bystander = Bun.spawn(["sleep", "1000"]);
  const state = join(sandbox.run, "containers", id, "state");
  const text = readFileSync(state, "utf8");
  try {
    // As if the container's had been given to the bystander since.
    writeFileSync(
      state,
      text
        .replace(/"pid":\d+/, `"pid":${bystander.pid}`)
        .replace(/"monitor":\d+/, `"monitor":${bystander.pid}`),
    );
    for (const words of [
      ["kill", id],
      ["stop", "-t", "0", id],
      ["exec", id, "true"],
    ])
      sandbox.bocker(words);
    expect(bystander.exitCode).toBe(null);
    expect(readFileSync(`/proc/${bystander.pid}/stat`, "utf8")).not.toContain(") Z");
  } finally {
    writeFileSync(state, text);
    bystander.kill(9);
    sandbox.ok(["rm", "-f", id]);
  }
});

test("T11 names that are no UTF-8, and nanoseconds, go through image, container and commit", () => {
  const name = Buffer.from([0x66, 0xff, 0xfe, 0x0a, 0x20, 0x5c]);
  const root = hostileRoot(sandbox, (at) => {
    mkdirSync(join(at, "odd"));
    writeFileSync(Buffer.concat([Buffer.from(`${at}/odd/`), name]), "x");
    writeFileSync(join(at, "odd/old"), "x");
    utimesSync(join(at, "odd/old"), 1, 1);
    sandbox.execute(["touch", "-d", "@1234567890.123456789", join(at, "odd/old")]);
  });
  sandbox.ok(["init", root, "odd"]);
  const id = sandbox.ok([
    "run",
    "-d",
    "--network",
    "none",
    "odd",
    "sh",
    "-c",
    "cp -a /odd /copy; exec sleep 1000",
  ]);
  while (sandbox.bocker(["exec", id, "test", "-e", "/copy/old"]).code !== 0) Bun.sleepSync(5);
  sandbox.ok(["commit", id, "odd-two"]);
  sandbox.ok(["rm", "-f", id]);
  const asked =
    "cd /odd; printf '%s\n' * | od -An -tx1 | tr -d ' \\n'; echo; ls /copy | wc -l; date -r /odd/old +%s; stat -c %y /odd/old";
  const { stdout } = sandbox.bocker(["run", "--rm", "--network", "none", "odd-two", "sh", "-c", asked]);
  expect(stdout.split("\n")[0]).toBe("66fffe0a205c0a6f6c640a");
  const layers = join(sandbox.data, "overlay");
  const old = readdirSync(layers).map((layer) => join(layers, layer, "diff/odd/old"));
  const found = old.flatMap((path) => {
    try {
      return [lstatSync(path, { bigint: true }).mtimeNs];
    } catch {
      return [];
    }
  });
  expect(found).toEqual([1234567890123456789n]);
});

test("T12 sizes beyond 2^53 are refused, not rounded", () => {
  for (const size of ["9007199254740993", "9007199254740992k", "99999999p"]) {
    const { code, stderr } = sandbox.bocker(["run", "--rm", "-m", size, IMAGE, "true"]);
    expect([code, stderr.includes("invalid size")]).toEqual([125, true]);
  }
});

test("T13 standard descriptors that are closed are not taken by bocker's own files", () => {
  const run = `${sandbox.binary} run --name closed --network none ${IMAGE} sh -c 'echo out; echo err >&2'`;
  const { code } = sandbox.execute(["sh", "-c", `${run} <&- >&- 2>&-`]);
  expect(code).toBe(0);
  const logs = sandbox.bocker(["logs", "closed"]);
  expect([logs.stdout, logs.stderr]).toEqual(["out\n", "err\n"]);
  expect(sandbox.ok(["system", "check"])).toContain("Nothing found");
  withRunning(sandbox, [], ({ id }) => expect(sandbox.ok(["exec", id, "echo", "x"])).toBe("x"));
});
