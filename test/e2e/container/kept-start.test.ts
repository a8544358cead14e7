/** Plans that are kept: the second container of a kind is the same as the first, and a changed machine is noticed. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
let scratch: string;
beforeAll(() => {
  sandbox = busyboxSandbox();
  scratch = mkdtempSync(join(tmpdir(), "bocker-kept-"));
});
afterAll(() => {
  sandbox.remove();
  rmSync(scratch, { recursive: true });
});

const directory = () => join(sandbox.run, "plans");
const plans = () => {
  try {
    return readdirSync(directory());
  } catch {
    return [];
  }
};
beforeEach(() => rmSync(directory(), { recursive: true, force: true }));

/** Whatever a container can see of how it was made. */
const LOOK = [
  "hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf; id; pwd; env",
  "cat /proc/self/mountinfo /proc/self/cgroup /proc/self/limits /proc/self/oom_score_adj",
  "grep -E '^(Cap|NoNewPrivs|Seccomp|Umask|Groups)' /proc/self/status; ls -la /dev /dev/pts; cat /proc/1/cmdline",
  "cat /sys/fs/cgroup/*/memory.limit_in_bytes /sys/fs/cgroup/*/pids.max /sys/fs/cgroup/*/cpu.shares 2>/dev/null",
].join("; ");

/** Ids, addresses, and the numbers that the kernel gives to mounts and devices. */
function normalized(text: string): string {
  return text
    .replace(/[0-9a-f]{64}/g, "ID")
    .replace(/\b[0-9a-f]{12}\b/g, "SHORT")
    .replace(/172\.\d+\.\d+\.\d+/g, "ADDRESS")
    .replace(/^\d+ \d+ \d+:\d+ /gm, "N N D ")
    .replace(/(shared|master):\d+/g, "$1:N")
    .replace(/subvolid=\d+/g, "subvolid=N")
    .replace(/\b\w{3} +\d+ \d\d:\d\d\b/g, "TIME");
}

describe("the second container of a kind", () => {
  const kinds: [what: string, options: string[]][] = [
    ["by default", []],
    ["without a network", ["--network", "none"]],
    ["on the host's network", ["--network", "host"]],
    ["with limits", ["-m", "64m", "--pids-limit", "50", "--cpu-shares", "512", "--ulimit", "nofile=100:200"]],
    ["with a user, a directory, a name", ["-u", "1000:1000", "-w", "/tmp/deep/er", "-h", "named"]],
    ["with fewer rights", ["--cap-drop", "ALL", "--cap-add", "CHOWN", "--security-opt", "no-new-privileges"]],
    [
      "without a filter",
      ["--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined"],
    ],
    [
      "with mounts",
      ["--read-only", "--tmpfs", "/scratch", "-v", "/usr/share:/data:ro", "-v", "named:/volume"],
    ],
    [
      "with --init and a port",
      ["--init", "-p", "18099:80", "--dns", "192.0.2.1", "--add-host", "a:192.0.2.2"],
    ],
    ["at a terminal", ["-t"]],
  ];
  test.each(kinds)("%s is as the first", (_, options) => {
    const run = () => sandbox.ok(["run", "--rm", ...options, "busybox", "sh", "-c", LOOK]);
    const first = run();
    expect(plans()).toHaveLength(1);
    const [name = ""] = plans();
    const bytes = readFileSync(join(directory(), name));
    expect(normalized(run())).toBe(normalized(first));
    // It was used: a start that is decided anew is kept anew.
    expect(readFileSync(join(directory(), name)).equals(bytes)).toBe(true);
  });

  test("is as the first whatever is mounted on the machine meanwhile", () => {
    const run = () => sandbox.ok(["run", "--rm", "busybox", "true"]);
    run();
    const read = () => readFileSync(join(directory(), plans()[0] ?? ""));
    const bytes = read();
    execFileSync("mount", ["-t", "tmpfs", "elsewhere", scratch]);
    try {
      run();
    } finally {
      execFileSync("umount", [scratch]);
    }
    run();
    expect(read().equals(bytes)).toBe(true);
  });

  test("may run another program with another environment", () => {
    const run = (...words: string[]) => sandbox.bocker(["run", "--rm", "--network", "none", ...words]);
    expect(run("busybox", "echo", "one").stdout).toBe("one\n");
    expect(run("-e", "A=b c", "-l", "x=y", "busybox", "sh", "-c", "echo $A").stdout).toBe("b c\n");
    expect(plans()).toHaveLength(1);
    const missing = run("busybox", "no-such-program");
    expect(missing.code).toBe(127);
    expect(missing.stderr).toContain('exec: "no-such-program": executable file not found in $PATH');
    expect(run("busybox", "/etc/hostname").code).toBe(126);
    expect(run("busybox", "sh", "-c", "exit 42").code).toBe(42);
  });
});

test("what is not the same for all of a kind is not kept", () => {
  for (const options of [["--privileged"], ["-v", "/anonymous"]]) {
    sandbox.ok(["run", "--rm", "--network", "none", ...options, "busybox", "true"]);
    expect(plans()).toEqual([]);
  }
});

describe("a plan is decided anew when", () => {
  const looked = (options: string[], script: string, wrapper: string[] = []) =>
    sandbox.execute([
      ...wrapper,
      sandbox.binary,
      "run",
      "--rm",
      "--network",
      "none",
      ...options,
      "sh",
      "-c",
      script,
    ]).stdout;

  test("the root's users change", () => {
    const root = join(scratch, "root");
    mkdirSync(join(root, "bin"), { recursive: true });
    mkdirSync(join(root, "etc"));
    cpSync("/bin/busybox", join(root, "bin/sh"));
    for (const uid of ["1234", "1234", "4321"]) {
      writeFileSync(join(root, "etc/passwd"), `ada:x:${uid}:77::/home:/bin/sh\n`);
      expect(looked(["-u", "ada", "--rootfs", root], "id -u; echo $HOME")).toBe(`${uid}\n/home\n`);
    }
  });

  test("a source becomes a directory", () => {
    const source = join(scratch, "source");
    const look = () =>
      looked(["-v", `${source}:/data`, "busybox"], "test -d /data && echo directory || echo file");
    writeFileSync(source, "");
    expect([look(), look()]).toEqual(["file\n", "file\n"]);
    rmSync(source);
    mkdirSync(source);
    expect([look(), look()]).toEqual(["directory\n", "directory\n"]);
  });

  test("the caller has other limits or rights", () => {
    const script = "ulimit -n; grep CapBnd /proc/self/status";
    const usual = looked(["busybox"], script);
    const few = looked(["busybox"], script, ["prlimit", "--nofile=64:64"]);
    expect(few).toBe(usual.replace(/^\d+/, "64"));
    const weak = looked(["busybox"], script, ["setpriv", "--bounding-set=-chown"]);
    expect(weak).not.toBe(usual);
    expect(looked(["busybox"], script)).toBe(usual);
  });

  test("the machine has other nameservers", () => {
    const file = join(scratch, "resolv.conf");
    const inside = ["unshare", "-m", "sh", "-c", `mount --bind ${file} /etc/resolv.conf; exec "$@"`, "sh"];
    for (const server of ["192.0.2.53", "192.0.2.53", "192.0.2.54"]) {
      writeFileSync(file, `nameserver ${server}\n`);
      expect(looked(["busybox"], "grep nameserver /etc/resolv.conf", inside)).toBe(`nameserver ${server}\n`);
    }
  });

  test("it cannot be read", () => {
    const run = () => sandbox.ok(["run", "--rm", "--network", "none", "busybox", "echo", "well"]);
    run();
    const path = join(directory(), plans()[0] ?? "");
    const whole = readFileSync(path);
    for (const broken of [
      new Uint8Array(),
      whole.subarray(0, 80),
      whole.subarray(0, -1),
      Buffer.alloc(200, 7),
    ]) {
      writeFileSync(path, broken);
      expect(run()).toBe("well");
      expect(readFileSync(path)).toHaveLength(whole.length);
    }
  });
});

test("not more than a few are kept", () => {
  for (let i = 0; i < 70; i++)
    sandbox.ok(["run", "--rm", "--network", "none", "-h", `name${i}`, "busybox", "true"]);
  expect(plans().length).toBeLessThan(68);
});
