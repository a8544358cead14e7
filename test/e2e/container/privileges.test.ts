/** The flags that give a container more or less than the defaults: users, capabilities, filters, devices. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { mountAt, mountsOf, statusField } from "./kernel.ts";
import { script, tryScript, withRunning } from "./running.ts";

const NONE = "0000000000000000";
/** Everything that the engine itself may give. */
const ALL = statusField(process.pid, "CapBnd");

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

function mask(...numbers: number[]): string {
  return numbers
    .reduce((sum, number) => sum | (1n << BigInt(number)), 0n)
    .toString(16)
    .padStart(16, "0");
}

describe("--user and --group-add", () => {
  const CASES: [options: string[], uid: string, gid: string, groups: string, home: string][] = [
    [["-u", "ada"], "1000", "1000", "1000 2000", "/home/ada"],
    [["-u", "1000"], "1000", "1000", "1000 2000", "/home/ada"],
    [["-u", "ada:engineers"], "1000", "3000", "3000", "/home/ada"],
    [["-u", "77:88"], "77", "88", "88", "/"],
    [["-u", "77"], "77", "0", "0", "/"],
    [
      ["-u", "ada", "--group-add", "engineers", "--group-add", "4000"],
      "1000",
      "1000",
      "1000 2000 3000 4000",
      "/home/ada",
    ],
    [["--group-add", "5"], "0", "0", "0 5", "/root"],
  ];
  test.each(CASES)("%p", (options, uid, gid, groups, home) =>
    withRunning(sandbox, options, ({ pid }) => {
      expect(statusField(pid, "Uid")).toBe(Array(4).fill(uid).join("\t"));
      expect(statusField(pid, "Gid")).toBe(Array(4).fill(gid).join("\t"));
      expect(statusField(pid, "Groups")?.split(" ").sort()).toEqual(groups.split(" ").sort());
      expect(readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")).toContain(`HOME=${home}`);
      if (uid === "0") return;
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) expect(statusField(pid, set)).toBe(NONE);
      expect(statusField(pid, "CapBnd")).toBe("00000000a80425fb");
    }),
  );

  test("what cannot be found or is out of range is refused", () => {
    const run = (user: string) => tryScript(sandbox, ["-u", user], "true");
    expect(run("nobody-here")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("unable to find user nobody-here"),
    });
    expect(run("ada:none")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("unable to find group none"),
    });
    expect(run("4294967296")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("uids must be in range 0-2147483647"),
    });
  });
});

describe("capabilities", () => {
  const CASES: [options: string[], mask: string | undefined][] = [
    [["--cap-drop", "ALL"], NONE],
    [["--cap-drop", "all", "--cap-add", "chown", "--cap-add", "CAP_KILL"], mask(0, 5)],
    [["--cap-add", "NET_ADMIN"], mask(0, 1, 3, 4, 5, 6, 7, 8, 10, 12, 13, 18, 27, 29, 31)],
    [["--cap-drop", "MKNOD"], mask(0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31)],
    [["--cap-add", "ALL"], ALL],
    [["--privileged"], ALL],
  ];
  test.each(CASES)("%p", (options, expected) =>
    withRunning(sandbox, options, ({ pid }) => {
      for (const set of ["CapBnd", "CapPrm", "CapEff"]) expect(statusField(pid, set)).toBe(expected);
      for (const set of ["CapInh", "CapAmb"]) expect(statusField(pid, set)).toBe(NONE);
    }),
  );

  test("an unknown one is refused", () => {
    expect(tryScript(sandbox, ["--cap-add", "FLY"], "true")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('invalid capability: "FLY"'),
    });
  });

  test("NET_ADMIN makes links possible, without it they are not", () => {
    const add = "ip link add dummy0 type dummy || ip link add v0 type veth";
    expect(tryScript(sandbox, [], add).code).not.toBe(0);
    expect(tryScript(sandbox, ["--cap-add", "NET_ADMIN"], add).code).toBe(0);
  });

  test("SYS_ADMIN opens the filter for mount", () => {
    expect(script(sandbox, ["--cap-add", "SYS_ADMIN"], "mount -t tmpfs none /tmp && echo mounted")).toBe(
      "mounted",
    );
  });
});

describe("--privileged", () => {
  test("no filter, nothing masked, nothing read-only, the machine's devices", () =>
    withRunning(sandbox, ["--privileged"], ({ id, pid }) => {
      expect(statusField(pid, "Seccomp")).toBe("0");
      const mounts = mountsOf(pid);
      expect(mounts.filter(({ target }) => target.startsWith("/proc/"))).toEqual([]);
      expect(mountAt(mounts, "/sys")?.options).toContain("rw");
      if (existsSync("/dev/kmsg"))
        expect(sandbox.ok(["exec", id, "stat", "-c", "%t:%T", "/dev/kmsg"])).toBe("1:b");
      expect(sandbox.ok(["exec", id, "sh", "-c", "mknod /kmsg c 1 11; head -c 0 /kmsg && echo opened"])).toBe(
        "opened",
      );
      // Of the machine's nodes this one is not: it would open the machine's terminals.
      expect(sandbox.ok(["exec", id, "readlink", "/dev/ptmx"])).toBe("pts/ptmx");
    }));
});

describe("--security-opt", () => {
  test("seccomp=unconfined", () =>
    withRunning(sandbox, ["--security-opt", "seccomp=unconfined"], ({ pid }) =>
      expect(statusField(pid, "Seccomp")).toBe("0"),
    ));

  test("seccomp=FILE: a profile of one's own", () => {
    const profile = join(sandbox.directory, "profile.json");
    const rule = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28 };
    writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] }));
    const options = ["--security-opt", `seccomp=${profile}`];
    const { stdout, stderr } = tryScript(sandbox, options, "mkdir /d; grep Seccomp: /proc/self/status");
    expect(stderr).toContain("No space left on device");
    expect(stdout).toBe("Seccomp:\t2\n");
  });

  test("seccomp=FILE that is missing or no profile", () => {
    const profile = join(sandbox.directory, "broken.json");
    writeFileSync(profile, "{");
    for (const [path = "", message = ""] of [
      ["/no/such/profile", "no such file or directory"],
      [profile, "seccomp"],
    ]) {
      const { code, stderr } = tryScript(sandbox, ["--security-opt", `seccomp=${path}`], "true");
      expect(code).toBe(125);
      expect(stderr).toContain(message);
    }
  });

  test.each(["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"])("%s", (option) =>
    withRunning(sandbox, ["--security-opt", option], ({ pid }) => {
      expect(statusField(pid, "NoNewPrivs")).toBe("1");
      expect(statusField(pid, "Seccomp")).toBe("2");
    }),
  );

  test("systempaths=unconfined", () =>
    withRunning(sandbox, ["--security-opt", "systempaths=unconfined"], ({ pid }) => {
      expect(mountsOf(pid).filter(({ target }) => target.startsWith("/proc/"))).toEqual([]);
      expect(statusField(pid, "Seccomp")).toBe("2");
    }));

  test("what is not known is refused", () => {
    expect(tryScript(sandbox, ["--security-opt", "teeth=sharp"], "true")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('invalid --security-opt: "teeth=sharp"'),
    });
  });
});

describe("--sysctl", () => {
  test("Docker's two defaults", () => {
    const asked = "cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_unprivileged_port_start";
    expect(script(sandbox, [], asked)).toBe("0\t2147483647\n0");
  });

  test("of the container's own namespaces; one's own value wins", () => {
    const options = [
      "--sysctl",
      "net.ipv4.ip_unprivileged_port_start=1024",
      "--sysctl",
      "kernel.msgmax=4096",
    ];
    const asked = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax";
    expect(script(sandbox, options, asked)).toBe("1024\n4096");
    expect(readFileSync("/proc/sys/kernel/msgmax", "utf8")).not.toBe("4096\n");
  });

  test.each([
    "kernel.domainname=x",
    "vm.overcommit_memory=1",
    "net/../kernel.domainname=x",
    "kernel.core_pattern=|/x",
  ])("%s is refused", (setting) => {
    const { code, stderr } = tryScript(sandbox, ["--sysctl", setting], "true");
    expect(code).toBe(125);
    expect(stderr).toContain("is not allowed");
  });

  test("not with the machine's network", () => {
    const { code, stderr } = tryScript(
      sandbox,
      ["--network", "host", "--sysctl", "net.ipv4.ip_forward=1"],
      "true",
    );
    expect(code).toBe(125);
    expect(stderr).toContain("cannot be set");
  });
});

describe("--device", () => {
  const KMSG = "/dev/kmsg";
  test.skipIf(!existsSync(KMSG))("is given with its number, and no other is", () => {
    const { mode } = statSync(KMSG);
    const options = ["--device", `${KMSG}:/dev/log/own`];
    expect(script(sandbox, options, "stat -c '%t:%T %a' /dev/log/own")).toBe(
      `1:b ${(mode & 0o7777).toString(8)}`,
    );
    expect(
      tryScript(sandbox, [...options, "--cap-add", "SYSLOG"], "head -c 0 /dev/log/own; echo $?").stdout,
    ).toBe("0\n");
  });

  test.skipIf(!existsSync(KMSG))("r, w and m are apart", () => {
    const attempt = (access: string, text: string) =>
      tryScript(sandbox, ["--cap-add", "SYSLOG", "--device", `${KMSG}:${KMSG}:${access}`], text).code;
    expect(attempt("r", `: < ${KMSG}`)).toBe(0);
    expect(attempt("r", `: > ${KMSG}`)).not.toBe(0);
    expect(attempt("w", `: > ${KMSG}`)).toBe(0);
    expect(attempt("w", `: < ${KMSG}`)).not.toBe(0);
    expect(attempt("m", `mknod /node c 1 11 && ! (: < /node)`)).toBe(0);
  });

  test("what is no device, or missing, or has a wrong mode is refused", () => {
    for (const [device, message] of [
      ["/etc/passwd", "not a device node"],
      ["/dev/none", "no such file or directory"],
      ["/dev/null:/dev/x:abc", "invalid device mode: abc"],
    ])
      expect(tryScript(sandbox, ["--device", device ?? ""], "true")).toMatchObject({
        code: 125,
        stderr: expect.stringContaining(message ?? ""),
      });
  });
});

test("a read-only root: nothing can be written but what is mounted", () => {
  const options = ["--read-only", "--tmpfs", "/tmp:size=1m", "-v", "/data"];
  const written = (path: string) => tryScript(sandbox, options, `echo x > ${path}`);
  for (const path of ["/file", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/bin/new"])
    expect(written(path).stderr).toContain("Read-only file system");
  for (const path of ["/tmp/file", "/data/file", "/dev/shm/file", "/dev/null"])
    expect(written(path).code).toBe(0);
  withRunning(sandbox, options, ({ pid }) => expect(mountAt(mountsOf(pid), "/")?.options).toContain("ro"));
  expect(sandbox.bocker(["run", "--rm", "--network", "none", "--read-only", IMAGE, "true"]).code).toBe(0);
});
