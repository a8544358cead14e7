/** `bocker exec`, looked at from outside of the container. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { statusField } from "./kernel.ts";
import { type Running, runDetached, withRunning } from "./running.ts";

let sandbox: Sandbox;
let main: Running;
beforeAll(() => {
  sandbox = busyboxSandbox();
  main = runDetached(sandbox, ["-e", "OWN=1", "-w", "/var", "-m", "64m", "--ulimit", "nofile=99:99"]);
});
afterAll(() => sandbox.remove());

function exec(...words: string[]) {
  return sandbox.bocker(["exec", ...words]);
}

/** The machine's pid of the one process in the container's pid namespace that sleeps for so long. */
function pidOfSleeper(seconds: string, namespaceOf = main.pid): number {
  const namespace = readlinkSync(`/proc/${namespaceOf}/ns/pid`);
  for (;;) {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        if (readlinkSync(`/proc/${pid}/ns/pid`) === namespace && words[1] === seconds) return Number(pid);
      } catch {
        // It ended while we looked.
      }
    }
    Bun.sleepSync(5);
  }
}

describe("exec", () => {
  test("exit codes: the program's, 126, 127, and 1 for no container", () => {
    expect(exec(main.id, "sh", "-c", "exit 42").code).toBe(42);
    expect(exec(main.id, "sh", "-c", "kill -9 $$").code).toBe(137);
    expect(exec(main.id, "/etc/not-a-program").code).toBe(126);
    expect(exec(main.id, "no-such")).toMatchObject({
      code: 127,
      stderr: expect.stringContaining("not found in $PATH"),
    });
    expect(exec("nobody", "true")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("No such container: nobody"),
    });
    const created = sandbox.ok(["create", "busybox"]);
    expect(exec(created, "true")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is not running"),
    });
    sandbox.ok(["rm", created]);
  });

  test("user, directory, variables", () => {
    const file = join(sandbox.directory, "exec-env");
    writeFileSync(file, "FILE=2\n");
    expect(exec("-u", "ada", main.id, "id").stdout).toBe(
      "uid=1000(ada) gid=1000(ada) groups=1000(ada),2000(mathematicians)\n",
    );
    expect(exec(main.id, "pwd").stdout).toBe("/var\n");
    expect(exec("-w", "/tmp", main.id, "pwd").stdout).toBe("/tmp\n");
    const lines = exec("-e", "MORE=3", "--env-file", file, "-u", "1000", main.id, "env").stdout.split("\n");
    expect(lines).toEqual(expect.arrayContaining(["OWN=1", "FILE=2", "MORE=3", "HOME=/home/ada"]));
    expect(exec("-e", "OWN=other", main.id, "sh", "-c", "echo $OWN").stdout).toBe("other\n");
    expect(exec("-w", "/no/such", main.id, "pwd").code).not.toBe(0);
  });

  test("streams: stdin only with -i, stdout and stderr apart, -t a terminal", () => {
    expect(sandbox.bocker(["exec", "-i", main.id, "cat"], "in\n").stdout).toBe("in\n");
    expect(sandbox.bocker(["exec", main.id, "cat"], "in\n").stdout).toBe("");
    expect(exec(main.id, "sh", "-c", "echo o; echo e >&2")).toMatchObject({ stdout: "o\n", stderr: "e\n" });
    expect(exec("-t", main.id, "tty").stdout).toMatch(/^\/dev\/pts\/\d+\r\n$/);
    expect(sandbox.ok(["logs", main.id])).toBe("");
  });

  test("-d returns at once; the process is the container's: namespaces, cgroups, limits, capabilities, filter", () => {
    expect(exec("-d", main.id, "sleep", "54321")).toEqual({ code: 0, stdout: "", stderr: "" });
    const pid = pidOfSleeper("54321");
    for (const name of ["mnt", "uts", "ipc", "net", "pid", "cgroup", "user"])
      expect(readlinkSync(`/proc/${pid}/ns/${name}`)).toBe(readlinkSync(`/proc/${main.pid}/ns/${name}`));
    expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).toBe(
      readFileSync(`/proc/${main.pid}/cgroup`, "utf8"),
    );
    for (const field of [
      "CapInh",
      "CapPrm",
      "CapEff",
      "CapBnd",
      "CapAmb",
      "Seccomp",
      "NoNewPrivs",
      "Umask",
      "Uid",
      "Groups",
    ])
      expect(`${field} ${statusField(pid, field)}`).toBe(`${field} ${statusField(main.pid, field)}`);
    expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toBe(
      readFileSync(`/proc/${main.pid}/limits`, "utf8"),
    );
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8")).toBe(
      readFileSync(`/proc/${main.pid}/oom_score_adj`, "utf8"),
    );
    expect(readdirSync(`/proc/${pid}/fd`).sort()).toEqual(["0", "1", "2"]);
    expect(readlinkSync(`/proc/${pid}/root`)).toBe("/");
  });

  test("of another user: no capabilities; with --privileged: all, no filter", () => {
    exec("-d", "-u", "1000", main.id, "sleep", "54322");
    const plain = pidOfSleeper("54322");
    expect(statusField(plain, "CapEff")).toBe("0000000000000000");
    expect(statusField(plain, "CapBnd")).toBe("00000000a80425fb");
    exec("-d", "--privileged", main.id, "sleep", "54323");
    const privileged = pidOfSleeper("54323");
    expect(statusField(privileged, "CapEff")).toBe(statusField(process.pid, "CapBnd"));
    expect(statusField(privileged, "Seccomp")).toBe("0");
  });

  test("keeps what the container was given: dropped capabilities, no-new-privileges, oom score", () => {
    const options = [
      "--cap-drop",
      "ALL",
      "--security-opt",
      "no-new-privileges",
      "--oom-score-adj",
      "77",
      "--group-add",
      "5",
    ];
    withRunning(sandbox, options, ({ id, pid }) => {
      sandbox.ok(["exec", "-d", id, "sleep", "54324"]);
      const child = pidOfSleeper("54324", pid);
      expect(statusField(child, "CapBnd")).toBe("0000000000000000");
      expect(statusField(child, "NoNewPrivs")).toBe("1");
      expect(statusField(child, "Groups")).toBe("0 5");
      expect(readFileSync(`/proc/${child}/oom_score_adj`, "utf8")).toBe("77\n");
    });
  });

  test("ends with its container: 137, and the client comes back", async () => {
    const { id } = runDetached(sandbox, []);
    const words = sandbox.inside([sandbox.binary, "exec", id, "sleep", "54325"]);
    const child = Bun.spawn(words, { env: sandbox.environment });
    while (!sandbox.ok(["exec", id, "ps"]).includes("54325")) await Bun.sleep(10);
    sandbox.ok(["rm", "-f", id]);
    expect(await child.exited).toBe(137);
  });

  test("sees what the container mounted, not the host", () => {
    withRunning(sandbox, ["--tmpfs", "/only-here"], ({ id }) =>
      expect(
        sandbox.ok(["exec", id, "sh", "-c", "grep -c only-here /proc/self/mountinfo; ls /proc/1/exe"]),
      ).toStartWith("1\n"),
    );
  });
});
