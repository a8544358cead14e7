/** Class B of docs/security.md: what is mounted, and where, while the container or its image moves the place. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../e2e/busybox.ts";
import { runDetached, script, tryScript } from "../e2e/container/running.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import {
  Canary,
  compile,
  hostDirectory,
  hostileImage,
  hostileRoot,
  RACER,
  rounds,
  shell,
} from "./hostile.ts";

let sandbox: Sandbox;
let canary: Canary;
let racer: string;
beforeAll(() => {
  sandbox = busyboxSandbox();
  canary = new Canary(sandbox);
  racer = compile(sandbox, "racer", RACER);
});
afterAll(() => sandbox.remove());

const run = (image: string, options: string[], ...command: string[]) =>
  sandbox.bocker(["run", "--rm", "--network", "none", ...options, image, ...command]);

/** The machine's setting that attackers want most; every test sees to it that it stays. */
const corePattern = () => readFileSync("/proc/sys/kernel/core_pattern", "utf8");
const CORE_PATTERN = "/proc/sys/kernel/core_pattern";

/** A container that exchanges two names in a volume until it is removed. */
function racing(volume: string, prepare: string, first: string, second: string): string {
  const program = ["-v", `${racer}:/racer:ro`, "-v", `${volume}:/vol`];
  const { id } = runDetached(sandbox, program, [
    "sh",
    "-c",
    `${prepare}; touch /vol/ready; exec /racer ${first} ${second}`,
  ]);
  const ready = join(sandbox.data, "volumes", volume, "_data/ready");
  while (!existsSync(ready)) Bun.sleepSync(5);
  return id;
}

function repeat(count: number, command: string): { code: number; stdout: string; stderr: string } {
  return shell(sandbox, `i=0; while [ $i -lt ${count} ]; do ${command}; i=$((i+1)); done; true`);
}

test("B1 CVE-2019-16884: nothing of an image's or a user's lies over procfs, but for what is named", () => {
  for (const path of [
    "/proc",
    "/proc/",
    "/proc/.",
    "//proc",
    "/proc/self/attr",
    "/proc/1",
    "/proc/sys/kernel",
  ]) {
    const image = hostileImage(sandbox, "over-proc", () => {}, [`VOLUME ${path}`]);
    expect([path, run(image, [], "true").code]).toEqual([path, 125]);
    expect([path, run(IMAGE, ["-v", `v:${path}`], "true").code]).toEqual([path, 125]);
    expect([path, run(IMAGE, ["--tmpfs", path], "true").code]).toEqual([path, 125]);
  }
  const file = join(hostDirectory(sandbox, "uptime"), "file");
  writeFileSync(file, "1.00 1.00\n");
  expect(script(sandbox, ["-v", `${file}:/proc/uptime`], "cat /proc/uptime")).toBe("1.00 1.00");
});

test("B1 CVE-2019-16884: a volume over the whole root, or over /sys, opens nothing", () => {
  for (const path of ["/.", "//", "/x/..", "/sys", "/sys/fs/selinux"]) {
    const image = hostileImage(sandbox, "over-root", () => {}, [`VOLUME ${path}`]);
    const { code, stdout } = run(
      image,
      [],
      "/bin/sh",
      "-c",
      `cat ${canary.path}; stat -c %t:%T /proc/keys; echo x > /proc/sysrq-trigger`,
    );
    expect([path, code === 0]).toEqual([path, false]);
    canary.expectUntouched(stdout);
  }
});

test("B2 CVE-2019-19921 CVE-2023-27561 CVE-2023-28642: the engine's mounts stand on ordinary directories", () => {
  const cases: [path: string, spoil: (root: string) => void][] = [
    ...["proc", "sys", "dev"].map((name): [string, (root: string) => void] => [
      name,
      (root) => {
        mkdirSync(join(root, `other-${name}`));
        symlinkSync(`/other-${name}`, join(root, name));
      },
    ]),
    ["proc", (root) => writeFileSync(join(root, "proc"), "a file\n")],
  ];
  for (const [path, spoil] of cases) {
    const { code, stdout, stderr } = run(hostileImage(sandbox, "moved", spoil), [], "echo", "started");
    expect([path, code, stdout]).toEqual([path, 125, ""]);
    expect(stderr).toContain(`/${path}`);
  }
});

test("B2 CVE-2019-19921: links below /dev and /sys of an image are covered, not followed", () => {
  const image = hostileImage(sandbox, "deep-links", (root) => {
    mkdirSync(join(root, "dev"));
    for (const name of ["pts", "shm", "mqueue", "null"]) symlinkSync("/etc", join(root, "dev", name));
  });
  const { code, stdout } = run(
    image,
    [],
    "sh",
    "-c",
    "ls /etc/ptmx /etc/null 2>/dev/null; stat -c %F /dev/pts /dev/shm /dev/null",
  );
  expect([code, stdout]).toEqual([0, "directory\ndirectory\ncharacter special file\n"]);
});

test("B3 CVE-2021-30465: a mount target that is exchanged for a link to / between two mounts", () => {
  const id = racing("b3", "mkdir /vol/d; ln -s / /vol/l", "/vol/d", "/vol/l");
  try {
    const options = "-v b3:/m --mount type=tmpfs,dst=/m/d -v b3x:/m/d/x";
    const { stdout, stderr } = repeat(
      rounds(200, 40),
      `$BOCKER run --rm --network none ${options} ${IMAGE} sh -c 'cat /m/d/x${canary.path} ${canary.path} 2>/dev/null; cut -d" " -f 4,5 /proc/self/mountinfo'`,
    );
    canary.expectUntouched(stdout, stderr);
    // What is mounted of the machine's filesystem is what was asked for.
    const sources = stdout.split("\n").filter((line) => line.includes(sandbox.directory));
    expect(
      sources.filter(
        (line) => !/\/(volumes\/b3x?\/_data|containers\/\w+\/(hosts|hostname|resolv.conf)) /.test(line),
      ),
    ).toEqual([]);
  } finally {
    sandbox.ok(["rm", "-f", id]);
  }
});

test("B4 CVE-2024-45310: a mount point that has to be made, below a link that comes and goes", () => {
  const target = hostDirectory(sandbox, "cron.d");
  const source = hostDirectory(sandbox, "source");
  const id = racing("b4", `mkdir /vol/a; ln -s ${target} /vol/l`, "/vol/a", "/vol/l");
  try {
    const { stderr } = repeat(
      rounds(500, 40),
      `$BOCKER run --rm --network none -v b4:/m -v ${source}:/m/a/b$i/c ${IMAGE} true`,
    );
    expect(readdirSync(target)).toEqual([]);
    canary.expectUntouched(stderr);
  } finally {
    sandbox.ok(["rm", "-f", id]);
  }
});

test("B5 CVE-2025-31133: masks come from the real /dev/null, or the container does not start", () => {
  const before = corePattern();
  const image = hostileImage(
    sandbox,
    "fake-null",
    (root) => {
      mkdirSync(join(root, "dev"));
      symlinkSync(CORE_PATTERN, join(root, "dev/null"));
    },
    ["VOLUME /dev"],
  );
  const { code, stdout } = run(image, [], "sh", "-c", "echo started; cat /proc/keys");
  expect([code, stdout]).toEqual([125, ""]);
  // One that is no link at all, and one that is a device, but another.
  for (const make of ["echo pwned > /vol/null", "mknod /vol/null c 1 5"]) {
    script(sandbox, ["-v", "b5n:/vol"], `rm -f /vol/null; ${make}`);
    expect(run(IMAGE, ["-v", "b5n:/dev"], "echo", "started")).toMatchObject({ code: 125, stdout: "" });
  }
  expect(corePattern()).toBe(before);
});

test("B5 CVE-2025-31133: nor while a sibling exchanges it", () => {
  const before = corePattern();
  // A file that stands for a setting of the machine's: below, nothing is written to the real one even if there is a hole.
  const victim = join(hostDirectory(sandbox, "settings"), "core_pattern");
  writeFileSync(victim, "untouched\n");
  const prepare = `mknod -m 666 /vol/null c 1 3; ln -s ${victim} /vol/l; mkdir /vol/pts /vol/shm /vol/mqueue`;
  const id = racing("b5", prepare, "/vol/null", "/vol/l");
  try {
    const { stdout } = repeat(
      rounds(500, 50),
      `$BOCKER run --rm --network none -v b5:/dev ${IMAGE} stat -c %t:%T /proc/keys /proc/timer_list 2>/dev/null`,
    );
    expect(new Set(stdout.split("\n").filter(Boolean))).toEqual(new Set(["1:3"]));
  } finally {
    sandbox.ok(["rm", "-f", id]);
  }
  expect(readFileSync(victim, "utf8")).toBe("untouched\n");
  expect(corePattern()).toBe(before);
});

test("B6 CVE-2025-52565: /dev/console is the container's own terminal, whatever the image has there", () => {
  const before = corePattern();
  const image = hostileImage(sandbox, "console", (root) => {
    mkdirSync(join(root, "dev/pts"), { recursive: true });
    symlinkSync(CORE_PATTERN, join(root, "dev/console"));
    symlinkSync(CORE_PATTERN, join(root, "dev/pts/0"));
  });
  expect(run(image, ["-t"], "stat", "-c", "%F %t", "/dev/console").stdout).toBe(
    "character special file 88\r\n",
  );
  // In a volume over /dev the link stays: then there is no start.
  script(sandbox, ["-v", "b6:/vol"], `ln -s ${CORE_PATTERN} /vol/console`);
  const { code, stdout } = run(IMAGE, ["-t", "-v", "b6:/dev"], "echo", "started");
  expect([code, stdout]).toEqual([125, ""]);
  expect(corePattern()).toBe(before);
});

test("B7 CVE-2025-52881: settings are written before anything of the container's is mounted, and where they belong", () => {
  const own = ["--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.msgmax=4242"];
  const before = readFileSync("/proc/sys/kernel/msgmax", "utf8");
  const { operations } = JSON.parse(sandbox.ok(["run", "--explain=json", ...own, IMAGE, "true"])).plan;
  const list = operations as { op: string; phase: string; path?: string; group: string }[];
  const inside = list.filter(({ phase }) => phase === "container");
  const firstMount = inside.findIndex(
    ({ op }) => op === "fsmount" || op === "move_mount" || op === "open_tree",
  );
  const settings = inside.flatMap(({ op, path }, index) =>
    op === "write" && path?.startsWith("/proc/sys/") ? [index] : [],
  );
  expect(settings.length).toBeGreaterThanOrEqual(2);
  expect(Math.max(...settings)).toBeLessThan(firstMount);
  expect(script(sandbox, own, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax")).toBe("1\n4242");
  expect(readFileSync("/proc/sys/kernel/msgmax", "utf8")).toBe(before);
});

test("B7 CVE-2025-52881: what is written later goes to a procfs, or nowhere", () => {
  const { operations } = JSON.parse(sandbox.ok(["run", "--explain=json", IMAGE, "true"])).plan;
  const list = operations as { op: string; phase: string; path?: string }[];
  const inside = list.filter(({ phase }) => phase === "container");
  const pivot = inside.findIndex(({ op }) => op === "pivot_root");
  const written = inside.slice(pivot).flatMap(({ op, path }) => (op === "write" ? [path] : []));
  // /proc is the engine's own procfs here: no link, nothing over it (B1, B2).
  expect(written).toEqual(["/proc/self/oom_score_adj"]);
});

test("B8 CVE-2026-41579 CVE-2026-47766: an image's /dev that is a link leads no device node out", () => {
  const outside = hostDirectory(sandbox, "out");
  writeFileSync(join(outside, "ptmx"), "MARK\n");
  const root = hostileRoot(sandbox, (at) => symlinkSync(outside, join(at, "dev")));
  const attempt = (options: string[], image: string[]) =>
    sandbox.bocker(["run", "--rm", "--network", "none", ...options, ...image, "true"]);
  attempt([], ["--rootfs", root]);
  // Without a tmpfs of the engine's own: with a volume, or a directory, that is mounted behind the link.
  for (const mount of ["b8:/dev", `${hostDirectory(sandbox, "dev")}:/dev`])
    attempt(["-v", mount], ["--rootfs", root]);
  attempt(["--device", "/dev/null:/dev/x/null"], ["--rootfs", root]);
  expect(readdirSync(outside)).toEqual(["ptmx"]);
  expect(readFileSync(join(outside, "ptmx"), "utf8")).toBe("MARK\n");
});

test("B9 CVE-2023-25809: the cgroup filesystem is read-only, in the machine's view of it, too", () => {
  const asked =
    "mkdir /sys/fs/cgroup/x; for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir $d/x; echo 1 > $d/cgroup.procs; done; true";
  const { stderr } = tryScript(sandbox, [], asked);
  for (const line of stderr.trim().split("\n"))
    expect(line).toMatch(/Read-only file system|nonexistent|No such file/);
  expect(stderr).toContain("Read-only file system");
  // Docker's flag for it is not there yet: refused, not ignored.
  expect(run(IMAGE, ["--cgroupns=host"], "true").code).toBe(125);
});

test("B10 CVE-2015-3627 CVE-2015-3630 CVE-2021-43784 GHSA-g54h-m393-cpwq: sizes that overflow are errors, devices are denied", () => {
  const failed = (options: string[], ...command: string[]) => {
    const { code, stderr } = run(IMAGE, options, ...(command.length > 0 ? command : ["true"]));
    expect([code, stderr === ""]).toEqual([125, false]);
    expect(stderr).not.toContain("    at ");
  };
  failed(["--hostname", "h".repeat(70_000)]);
  failed(["-v", `/${"x/".repeat(32_000)}:/m`]);
  failed(["-v", `v:/${"x".repeat(5000)}`]);
  failed(Array.from({ length: 5000 }, (_, i) => ["--tmpfs", `/m/${i}`]).flat());
  const { stderr } = tryScript(
    sandbox,
    [],
    "mknod /x b 8 0; cat /x; mknod /y c 1 1; cat /y; mknod /z b 254 0; cat /z",
  );
  expect(stderr.match(/Operation not permitted/g)).toHaveLength(3);
});

test("B11 links in a mount's target that lead nowhere, or from the top, work inside the root", () => {
  const image = hostileImage(sandbox, "dangling", (root) => {
    mkdirSync(join(root, "run"));
    rmSync(join(root, "var"), { recursive: true });
    mkdirSync(join(root, "var"));
    symlinkSync("/run", join(root, "var/run"));
    symlinkSync("/nonexist", join(root, "a"));
    symlinkSync(canary.directory, join(root, "c"));
  });
  const file = join(hostDirectory(sandbox, "s"), "socket");
  writeFileSync(file, "socket\n");
  const options = ["-v", `${file}:/var/run/x.sock`, "-v", "b11:/a/b", "-v", `${file}:/c/made`];
  const { code, stdout, stderr } = run(
    image,
    options,
    "sh",
    "-c",
    "cat /run/x.sock /c/made; ls -d /nonexist/b",
  );
  expect([code, stdout, stderr]).toEqual([0, "socket\nsocket\n/nonexist/b\n", ""]);
  canary.expectUntouched();
});
