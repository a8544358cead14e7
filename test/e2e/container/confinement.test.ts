/** What every container is confined to when nobody asks for anything: Docker's defaults, read from the kernel. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { release } from "node:os";
import { busyboxSandbox } from "../busybox.ts";
import { OVERLAY, Sandbox } from "../sandbox.ts";
import { type Mount, mountAt, mountsOf, statusField } from "./kernel.ts";
import { type Running, runDetached, script, tryScript } from "./running.ts";

const DEFAULT_CAPABILITIES = "00000000a80425fb";
const NONE = "0000000000000000";

let sandbox: Sandbox;
/** Asked by most tests; none of them changes it. */
let plain: Running;
let mounts: Mount[];
beforeAll(() => {
  sandbox = busyboxSandbox(new Sandbox(undefined, OVERLAY));
  plain = runDetached(sandbox, []);
  mounts = mountsOf(plain.pid);
});
afterAll(() => sandbox.remove());

function inside(text: string): string {
  return sandbox.ok(["exec", plain.id, "sh", "-c", text]);
}

describe("identity", () => {
  test("root with Docker's fourteen capabilities, none inheritable or ambient", () => {
    for (const set of ["CapBnd", "CapPrm", "CapEff"])
      expect(statusField(plain.pid, set)).toBe(DEFAULT_CAPABILITIES);
    for (const set of ["CapInh", "CapAmb"]) expect(statusField(plain.pid, set)).toBe(NONE);
    expect(statusField(plain.pid, "Uid")).toBe("0\t0\t0\t0");
    expect(statusField(plain.pid, "Gid")).toBe("0\t0\t0\t0");
    expect(statusField(plain.pid, "Groups")).toBe("0");
  });

  test("seccomp filters, no-new-privileges is off, no signal is blocked or ignored", () => {
    expect(statusField(plain.pid, "Seccomp")).toBe("2");
    expect(statusField(plain.pid, "NoNewPrivs")).toBe("0");
    for (const set of ["SigBlk", "SigIgn"]) expect(statusField(plain.pid, set)).toBe(NONE);
  });

  test("umask 0022, whatever the caller's is", () => {
    expect(statusField(plain.pid, "Umask")).toBe("0022");
    const words = [sandbox.binary, "run", "--rm", "--network", "none", "busybox", "sh", "-c"];
    const asked = "umask; touch /f; stat -c %a /f /etc/hosts /dev/null /";
    const { stdout } = sandbox.execute(["sh", "-c", 'umask 077; exec "$@"', "sh", ...words, asked]);
    expect(stdout).toBe("0022\n644\n644\n666\n755\n");
  });

  test("a session and process group of its own, without a terminal", () => {
    const fields = inside("cat /proc/1/stat").split(") ")[1]?.split(" ") ?? [];
    const [, parent, group, session, terminal] = fields;
    expect([parent, group, session, terminal]).toEqual(["0", "1", "1", "0"]);
  });

  test("namespaces of its own: mount, uts, ipc, pid, network; the machine's user and time", () => {
    const same = (name: string) =>
      readlinkSync(`/proc/${plain.pid}/ns/${name}`) === readlinkSync(`/proc/self/ns/${name}`);
    expect(["mnt", "uts", "ipc", "pid", "net", "user", "time"].map(same)).toEqual([
      ...Array.from({ length: 5 }, () => false),
      true,
      true,
    ]);
  });

  test("a session keyring of its own", () => {
    // keyctl is refused inside, and /proc/keys masked: asked of the process from outside is not possible either.
    expect(tryScript(sandbox, [], "cat /proc/keys").stdout).toBe("");
  });

  test("environment: PATH, HOSTNAME, HOME and nothing else", () => {
    const variables = readFileSync(`/proc/${plain.pid}/environ`, "utf8").split("\0").filter(Boolean).sort();
    expect(variables).toEqual([
      "HOME=/root",
      `HOSTNAME=${plain.id.slice(0, 12)}`,
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]);
  });

  test("hostname is the short id, domain name is empty", () => {
    expect(inside("hostname; cat /etc/hostname /proc/sys/kernel/domainname")).toBe(
      `${plain.id.slice(0, 12)}\n${plain.id.slice(0, 12)}\n(none)`,
    );
  });
});

describe("descriptors", () => {
  test("0, 1, 2 and no others", () => {
    expect(readdirSync(`/proc/${plain.pid}/fd`).sort()).toEqual(["0", "1", "2"]);
    // The directory itself is the one that ls opens.
    expect(script(sandbox, [], "ls /proc/self/fd | wc -l")).toBe("4");
    expect(inside("ls /proc/self/fd | wc -l")).toBe("4");
  });

  test("of a caller who leaks some, none arrives", () => {
    const words = ["run", "--rm", "--network", "none", "busybox", "sh", "-c", "ls /proc/self/fd | wc -l"];
    const leak = 'exec 5</etc/passwd 6</ 77</dev/null; exec "$@"';
    expect(sandbox.execute(["bash", "-c", leak, "bash", sandbox.binary, ...words]).stdout).toBe("4\n");
  });

  test("without -i, stdin is the container's own /dev/null", () => {
    expect(script(sandbox, [], "stat -L -c '%t:%T %d' /proc/self/fd/0 /dev/null", "ignored")).toMatch(
      /^1:3 (\d+)\n1:3 \1$/,
    );
    expect(script(sandbox, [], "cat | wc -c", "ignored")).toBe("0");
  });

  test("/dev/stdout and /dev/stderr can be opened, by another user too", () => {
    const { stdout, stderr } = tryScript(sandbox, ["-u", "1000"], "echo a >/dev/stdout; echo b >/dev/stderr");
    expect([stdout, stderr]).toEqual(["a\n", "b\n"]);
  });
});

describe("/proc and /sys", () => {
  const HIDDEN =
    "acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats".split(" ");
  const present = [
    ...HIDDEN.map((name) => `/proc/${name}`),
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
  ].filter((path) => existsSync(path));

  test.each(present)("%s is masked", (path) => {
    const mount = mountAt(mounts, path);
    if (mount?.root === "/null")
      expect(inside(`stat -c '%F %t:%T' ${path}`)).toBe("character special file 1:3");
    else {
      expect(mount?.options).toContain("ro");
      expect(inside(`ls -A ${path} | wc -l`)).toBe("0");
    }
  });

  const FIXED = ["bus", "fs", "irq", "sys", "sysrq-trigger"].map((name) => `/proc/${name}`);
  test.each(FIXED.filter((path) => existsSync(path)))("%s is read-only", (path) => {
    expect(mountAt(mounts, path)?.options).toContain("ro");
  });

  test("settings of the kernel and the hardware cannot be written", () => {
    for (const path of [
      "/proc/sys/kernel/domainname",
      "/proc/sys/vm/drop_caches",
      "/sys/kernel/uevent_helper",
    ])
      if (existsSync(path)) expect(tryScript(sandbox, [], `echo 1 > ${path}`).stderr).toContain("Read-only");
  });
});

describe("mounts", () => {
  const EXPECTED: [target: string, type: string, options: string[], superOptions: string[]][] = [
    ["/", "overlay", ["rw"], ["rw"]],
    ["/proc", "proc", ["rw", "nosuid", "nodev", "noexec"], ["rw"]],
    ["/dev", "tmpfs", ["rw", "nosuid"], ["rw", "size=65536k", "mode=755"]],
    ["/dev/pts", "devpts", ["rw", "nosuid", "noexec"], ["rw", "gid=5", "mode=620", "ptmxmode=666"]],
    ["/sys", "sysfs", ["ro", "nosuid", "nodev", "noexec"], []],
    ["/sys/fs/cgroup", "", ["ro", "nosuid", "nodev", "noexec"], []],
    ["/dev/mqueue", "mqueue", ["rw", "nosuid", "nodev", "noexec"], []],
    ["/dev/shm", "tmpfs", ["rw", "nosuid", "nodev", "noexec"], ["size=65536k"]],
    ["/etc/resolv.conf", "", ["rw"], []],
    ["/etc/hostname", "", ["rw"], []],
    ["/etc/hosts", "", ["rw"], []],
  ];

  test.each(EXPECTED)("%s", (target, type, options, superOptions) => {
    const mount = mountAt(mounts, target);
    if (type !== "") expect(mount?.type).toBe(type);
    const times = ["relatime", "strictatime", "noatime"];
    expect(mount?.options.filter((option) => !times.includes(option)).sort()).toEqual(options.toSorted());
    expect(mount?.superOptions).toEqual(expect.arrayContaining(superOptions));
  });

  test("every cgroup mount is read-only and shows the container's own group as its root", () => {
    const groups = mounts.filter(({ type }) => type === "cgroup" || type === "cgroup2");
    expect(groups.length).toBeGreaterThan(0);
    for (const { options } of groups) expect(options).toContain("ro");
    expect(inside("find /sys/fs/cgroup -mindepth 2 -type d")).toBe("");
  });

  test("nothing else is mounted, nothing is shared with the host, nothing of the host's tree is left", () => {
    const known = new Set(EXPECTED.map(([target]) => target));
    const others = mounts.filter(({ target }) => !known.has(target) && !/^\/(proc|sys)\//.test(target));
    expect(others).toEqual([]);
    expect(
      mounts.flatMap(({ propagation }) => propagation.filter((word) => word.startsWith("shared:"))),
    ).toEqual([]);
    expect(mounts.filter(({ target }) => target === "/")).toHaveLength(1);
  });
});

describe("/dev", () => {
  test("six nodes with their modes, five links, and the mounts", () => {
    const lines = inside(
      "cd /dev; for f in *; do stat -c '%n %F %a %u:%g %t:%T' $f; done | grep special",
    ).split("\n");
    const node = (name: string, number: string) => `${name} character special file 666 0:0 ${number}`;
    expect(lines.sort()).toEqual(
      [
        node("full", "1:7"),
        node("null", "1:3"),
        node("random", "1:8"),
        node("tty", "5:0"),
        node("urandom", "1:9"),
        node("zero", "1:5"),
      ].sort(),
    );
    const links = inside("cd /dev; for f in *; do [ -L $f ] && echo $f $(readlink $f); done; true");
    const core = existsSync("/proc/kcore") ? ["core /proc/kcore"] : [];
    expect(links.split("\n").sort()).toEqual(
      [
        ...core,
        "fd /proc/self/fd",
        "ptmx pts/ptmx",
        "stderr /proc/self/fd/2",
        "stdin /proc/self/fd/0",
        "stdout /proc/self/fd/1",
      ].sort(),
    );
    expect(inside("ls /dev | wc -w")).toBe(String(6 + 5 + core.length + 3));
  });

  test("a device that is not on the list can be made, but not opened", () => {
    // A disk of the machine by its number, and the kernel's log.
    for (const [type, major, minor] of [
      ["b", 254, 0],
      ["c", 1, 11],
      ["c", 10, 229],
    ]) {
      const { stderr, stdout } = tryScript(
        sandbox,
        [],
        `mknod /node ${type} ${major} ${minor} && echo made; cat /node`,
      );
      expect(stdout).toBe("made\n");
      expect(stderr).toContain("Operation not permitted");
    }
  });

  test("a node by the same number as one of the list works", () => {
    expect(script(sandbox, [], "mknod /zero c 1 5; head -c 4 /zero | wc -c")).toBe("4");
  });
});

describe("system calls", () => {
  const REFUSED = [
    "mount -t tmpfs none /tmp",
    "unshare -m true",
    "umount /proc",
    "hostname other",
    "chroot / mount -t proc proc /tmp",
    "dmesg",
    "date -s 2020-01-01",
    "insmod /bin/busybox",
    "swapon /bin/busybox",
    "nsenter -t 1 -m true",
    "pivot_root / /tmp",
    "reboot -f",
    "ip link add dummy0 type dummy",
  ];
  test.each(REFUSED)("%s is refused", (command) => {
    // Some of busybox's applets say so and end with 0.
    const { stderr } = tryScript(sandbox, [], command);
    expect(stderr.toLowerCase()).toMatch(/not permitted|permission denied/);
  });

  test("ordinary ones work: chown, setuid, chroot, ping's socket, low ports", () => {
    expect(script(sandbox, [], "touch /f; chown 5:6 /f; stat -c %u:%g /f")).toBe("5:6");
    expect(script(sandbox, [], "su ada -c id")).toContain("uid=1000(ada)");
    expect(script(sandbox, ["--network", "bridge"], "ping -c 1 -W 1 127.0.0.1 >/dev/null; echo $?")).toBe(
      "0",
    );
    const low =
      "nc -l -p 80 >/dev/null & until cat /proc/net/tcp* | grep -q ':0050'; do usleep 10000; done; kill %1";
    expect(tryScript(sandbox, ["-u", "1000"], `${low}; echo bound`).stdout).toBe("bound\n");
    expect(release()).toBe(script(sandbox, [], "uname -r"));
  });
});
