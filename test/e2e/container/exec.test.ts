/** `exec`: another process, in the same confinement; and what watches both. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
let pid: number;
let id: string;
beforeAll(() => {
  sandbox = busyboxSandbox();
  id = sandbox.ok([
    "run",
    "-d",
    "--name",
    "box",
    "-m",
    "64m",
    "--cap-drop",
    "CHOWN",
    "-e",
    "A=image",
    "busybox",
    "sleep",
    "1000",
  ]);
  pid = Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", "box"]));
});
afterAll(() => {
  sandbox.bocker(["rm", "-f", "box"]);
  sandbox.remove();
});

const exec = (...words: string[]) => sandbox.bocker(["exec", ...words]);

test("codes, output and input are the command's", () => {
  expect(exec("box", "sh", "-c", "echo out; echo err >&2; exit 9")).toEqual({
    code: 9,
    stdout: "out\n",
    stderr: "err\n",
  });
  expect(sandbox.bocker(["exec", "-i", "box", "wc", "-c"], "12345").stdout).toBe("5\n");
  expect(sandbox.bocker(["exec", "box", "cat"], "unseen").stdout).toBe("");
  expect(exec("box", "nope").code).toBe(127);
  expect(exec("box", "/etc/passwd").code).toBe(126);
  expect(exec("box", "sh", "-c", "kill -9 $$").code).toBe(137);
});

test("user, directory and environment", () => {
  const { stdout } = exec(
    "-u",
    "ada",
    "-w",
    "/tmp",
    "-e",
    "B=c",
    "box",
    "sh",
    "-c",
    "id; pwd; echo $A $B $HOME",
  );
  expect(stdout).toBe(
    "uid=1000(ada) gid=1000(ada) groups=1000(ada),2000(mathematicians)\n/tmp\nimage c /home/ada\n",
  );
  expect(exec("-u", "7:8", "box", "id").stdout).toBe("uid=7 gid=8 groups=8\n");
  expect(exec("-u", "nobodyhere", "box", "id").stderr).toContain("unable to find user nobodyhere");
});

test("it is where the container's first process is, and may what that may", () => {
  expect(exec("-d", "box", "sleep", "4321")).toEqual({ code: 0, stdout: "", stderr: "" });
  const tasks = readFileSync(`/sys/fs/cgroup/memory/bocker/${id}/cgroup.procs`, "utf8")
    .trim()
    .split("\n")
    .map(Number);
  const other = tasks.find((task) =>
    readFileSync(`/proc/${task}/cmdline`, "utf8").startsWith("sleep\x004321"),
  )!;
  for (const name of ["mnt", "uts", "ipc", "net", "pid", "cgroup"])
    expect(readlinkSync(`/proc/${other}/ns/${name}`)).toBe(readlinkSync(`/proc/${pid}/ns/${name}`));
  const status = (task: number) =>
    readFileSync(`/proc/${task}/status`, "utf8")
      .split("\n")
      .filter((line) => /^(Cap|Seccomp:|NoNewPrivs|Uid|Gid|Groups)/.test(line));
  expect(status(other)).toEqual(status(pid));
  expect(readFileSync(`/proc/${other}/cgroup`, "utf8")).toBe(readFileSync(`/proc/${pid}/cgroup`, "utf8"));
  expect(readFileSync(`/proc/${other}/limits`, "utf8")).toBe(readFileSync(`/proc/${pid}/limits`, "utf8"));
  const privileged = exec(
    "--privileged",
    "box",
    "grep",
    "-E",
    "^(CapEff|Seccomp):",
    "/proc/self/status",
  ).stdout;
  // As docker's: every capability, under the container's own filter.
  expect(privileged).toMatch(/^CapEff:\s+0*1[0-9a-f]{10}\nSeccomp:\s+2\n$/);
  const mount = exec("--privileged", "box", "mount", "-t", "tmpfs", "none", "/tmp");
  expect([mount.code === 0, mount.stderr]).toEqual([false, expect.stringMatching(/not permitted|denied/)]);
});

test("only a running container takes it", () => {
  const created = sandbox.ok(["create", "busybox", "true"]);
  expect(exec(created, "true")).toEqual({
    code: 1,
    stdout: "",
    stderr: `Error: container ${created} is not running\n`,
  });
  sandbox.ok(["rm", created]);
});

test("a container costs a monitor of a few hundred KiB and no more", () => {
  const state = JSON.parse(readFileSync(join(sandbox.run, "containers", id, "state"), "utf8"));
  const pss = Number(
    /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${state.monitor}/smaps_rollup`, "utf8"))?.[1],
  );
  expect(pss).toBeGreaterThan(0);
  expect(pss).toBeLessThanOrEqual(256);
  expect(readFileSync(`/proc/${state.monitor}/stat`, "utf8")).toContain("(");
  // The container's parent is the monitor, and that is nobody's child any more.
  expect(readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)!.split(" ")[1]).toBe(
    String(state.monitor),
  );
  expect(statSync(join(sandbox.run, "containers", id)).mode & 0o777).toBe(0o700);
  expect(statSync(join(sandbox.run, "containers", id, "attach")).mode & 0o777).toBe(0o600);
});
