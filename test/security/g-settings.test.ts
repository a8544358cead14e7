/** Class G of docs/security.md: an image's configuration, or a value of the user's, that reaches a privileged setting. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../e2e/busybox.ts";
import { statusField } from "../e2e/container/kernel.ts";
import { runDetached, script, withRunning } from "../e2e/container/running.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { Canary, hostileImage } from "./hostile.ts";

let sandbox: Sandbox;
let canary: Canary;
beforeAll(() => {
  sandbox = busyboxSandbox();
  canary = new Canary(sandbox);
});
afterAll(() => sandbox.remove());

const run = (image: string, options: string[], ...command: string[]) =>
  sandbox.bocker(["run", "--rm", "--network", "none", ...options, image, ...command]);

/** bocker's own refusal, in words: no stack, nothing started. */
function expectRefused(options: string[], image = IMAGE): void {
  const { code, stdout, stderr } = run(image, options, "echo", "started");
  expect([options.join(" ").slice(0, 60), code, stdout]).toEqual([options.join(" ").slice(0, 60), 125, ""]);
  expect(stderr).not.toMatch(/\n\s+at |\[native code\]|Bun v/);
}

test("G1 CVE-2022-23648: a volume whose path climbs is filled from the image, and from nowhere else", () => {
  const climbing = `/../../../../../../..${canary.directory}`;
  const image = hostileImage(sandbox, "climbing", () => {}, [
    `VOLUME ${climbing}`,
    `VOLUME /seed/x/../../../../..${canary.directory}/..`,
  ]);
  const before = readdirSync(sandbox.data).includes("volumes")
    ? readdirSync(join(sandbox.data, "volumes"))
    : [];
  const id = sandbox.ok(["create", image, "true"]);
  const made = readdirSync(join(sandbox.data, "volumes")).filter((name) => !before.includes(name));
  expect(made.length).toBeGreaterThan(0);
  for (const name of made) expect(readdirSync(join(sandbox.data, "volumes", name, "_data"))).toEqual([]);
  sandbox.ok(["rm", "-v", id]);
  const { stdout, stderr } = run(image, [], "cat", canary.path);
  canary.expectUntouched(stdout, stderr);
});

test("G2 CVE-2026-53488 CVE-2014-6408 CVE-2023-6476 CVE-2026-53492: labels of an image are labels and nothing else", () => {
  const labels: Record<string, string> = {
    "containerd.io/restart.logpath": `binary:///bin/sh?touch=${canary.directory}/PWNED`,
    "io.podman.annotations.privileged": "TRUE",
    "io.kubernetes.cri-o.userns-mode": "host",
    "org.systemd.property.ExecStopPost": "'/bin/true'",
    "run.oci.handler": "sh",
    "com.docker.engine.privileged": "true",
    "bocker.privileged": "true",
  };
  const changes = Object.entries(labels).map(([key, value]) => `LABEL "${key}"="${value}"`);
  const image = hostileImage(sandbox, "labelled", () => {}, changes);
  const id = sandbox.ok(["run", "-d", "--network", "none", image, "sleep", "1000"]);
  expect(JSON.parse(sandbox.ok(["inspect", "-f", "{{json .Config.Labels}}", id]))).toEqual(labels);
  const pid = Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", id]));
  expect([statusField(pid, "CapEff"), statusField(pid, "Seccomp")]).toEqual(["00000000a80425fb", "2"]);
  expect(sandbox.ok(["inspect", "-f", "{{.HostConfig.Privileged}}", id])).toBe("false");
  sandbox.ok(["rm", "-f", id]);
  canary.expectUntouched();
});

const FORTY = "9".repeat(40);

test("G3 CVE-2024-40635 CVE-2026-46680 CVE-2016-3697: an id out of range is an error, and never looked up as a name", () => {
  const wrong = ["4294967296", "2147483648", "4294967295", "-1", "0x0", "1e0", " 0", "+0", "1.0", FORTY];
  const image = hostileImage(sandbox, "own-passwd", (root) => {
    for (const name of wrong) appendFileSync(join(root, "etc/passwd"), `${name}:x:0:0::/:/bin/sh\n`);
    for (const name of wrong) appendFileSync(join(root, "etc/group"), `${name}:x:0:\n`);
  });
  const numeric = wrong.filter((text) => /^-?\d+$/.test(text));
  for (const user of numeric) {
    expectRefused(["-u", user], image);
    expectRefused(["-u", `1:${user}`], image);
    expectRefused(["--group-add", user], image);
    // By the image itself.
    expectRefused(
      [],
      hostileImage(sandbox, "own-user", () => {}, [`USER ${user}`]),
    );
  }
  // What is no number in digits is a name: root's only because the image says so of that very name.
  for (const user of wrong.filter((text) => !numeric.includes(text))) expectRefused(["-u", user], IMAGE);
  expect(run(image, ["-u", "2147483647:2147483647"], "id", "-u").stdout).toBe("2147483647\n");
});

test("G3 CVE-2026-30892: exec -u 1 is user 1", () =>
  withRunning(sandbox, [], ({ id }) => {
    const status = (...options: string[]) => sandbox.ok(["exec", ...options, id, "cat", "/proc/self/status"]);
    expect(statusField(status("-u", "1"), "Uid")).toBe("1\t1\t1\t1");
    expect(statusField(status("-u", "1:1"), "Gid")).toBe("1\t1\t1\t1");
    expect(statusField(status("-u", "01"), "Uid")).toBe("1\t1\t1\t1");
    for (const user of ["4294967296", "-1", "1:4294967296", FORTY])
      expect(sandbox.bocker(["exec", "-u", user, id, "id"])).toMatchObject({ code: 1, stdout: "" });
  }));

test("G4 CVE-2022-2989 CVE-2022-2990 CVE-2022-2995 CVE-2022-36109 CVE-2023-25173: the group is among the groups", () => {
  const image = hostileImage(sandbox, "negative", (root) =>
    writeFileSync(join(root, "negative"), "secret\n"),
  );
  // Group 1000 alone may not read it.
  const asked = "chown 0:1000 /negative; chmod 604 /negative; exec sleep 1000";
  const id = sandbox.ok(["run", "-d", "--network", "none", image, "sh", "-c", asked]);
  while (sandbox.ok(["exec", id, "stat", "-c", "%a", "/negative"]) !== "604") Bun.sleepSync(5);
  const denied = sandbox.bocker(["exec", "-u", "77:1000", id, "cat", "/negative"]);
  expect([denied.code, denied.stdout]).toEqual([1, ""]);
  sandbox.ok(["rm", "-f", id]);
  expect(script(sandbox, ["-u", "1000:1000"], "id -G")).toBe("1000");
  expect(script(sandbox, ["-u", "77"], "id -G")).toBe("0");
});

test("G5 CVE-2022-24769 CVE-2022-27649 CVE-2022-27650 CVE-2022-27651 CVE-2022-29162: nothing is inheritable, nothing ambient", () => {
  const NONE = "0".repeat(16);
  const sets = "grep -E 'Cap(Inh|Amb)' /proc/self/status | cut -f 2";
  for (const options of [
    [],
    ["--privileged"],
    ["-u", "1000"],
    ["--cap-add", "ALL"],
    ["--init"],
    ["-u", "7", "--privileged"],
  ])
    expect(script(sandbox, options, sets)).toBe(`${NONE}\n${NONE}`);
  withRunning(sandbox, [], ({ id }) => {
    for (const options of [[], ["--privileged"], ["-u", "1000"], ["--privileged", "-u", "1000"]])
      expect(sandbox.ok(["exec", ...options, id, "sh", "-c", sets])).toBe(`${NONE}\n${NONE}`);
  });
});

test("G6 CVE-2022-0811 CVE-2024-3154 GHSA-w2j5-3rcx-vx7x: only the container's own settings, one value each", () => {
  const watched = [
    "kernel/core_pattern",
    "kernel/shm_rmid_forced",
    "net/ipv4/ip_forward",
    "kernel/domainname",
  ];
  const read = () => watched.map((name) => readFileSync(`/proc/sys/${name}`, "utf8"));
  const before = read();
  for (const setting of [
    "kernel.core_pattern=x",
    "kernel.shm_rmid_forced=1+kernel.core_pattern=|x",
    "kernel.shm_rmid_forced=1\nkernel.core_pattern=|x",
    "kernel/../kernel/core_pattern=x",
    "net/../kernel/core_pattern=x",
    "net.ipv4.conf.all../../../../kernel/core_pattern=x",
    "fs.mqueue./../../kernel/core_pattern=x",
    "vm.swappiness=1",
    "=x",
  ])
    expectRefused(["--sysctl", setting]);
  expectRefused(["--network", "host", "--sysctl", "net.ipv4.ip_forward=1"]);
  expect(read()).toEqual(before);
});

test("G7 CVE-2022-4318 CVE-2026-23953: a line break adds no line to a file of the container's", () => {
  for (const options of [
    ["--hostname", "a\nb"],
    ["--hostname", "a b"],
    ["--domainname", "a\nb"],
    ["--add-host", "a:1.1.1.1\n6.6.6.6 bank"],
    ["--add-host", "a\n6.6.6.6 bank:1.1.1.1"],
    ["--dns", "1.1.1.1\noptions x"],
    ["--dns-search", "a\nnameserver 6.6.6.6"],
    ["--dns-option", "a\nnameserver 6.6.6.6"],
  ])
    expectRefused(options);
  const passwd = script(sandbox, [], "cat /etc/passwd");
  // In the environment it is a value like any other.
  const options = ["-e", "HOME=/x\nevil:x:0:0::/:/bin/sh", "-u", "1234"];
  expect(script(sandbox, options, 'cat /etc/passwd; echo "$HOME"')).toBe(
    `${passwd}\n/x\nevil:x:0:0::/:/bin/sh`,
  );
});

/** Runs a command and prints its largest resident size in KiB. */
const PEAK = `
import resource, subprocess, sys
subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
`;

test("G8 CVE-2026-47262 CVE-2025-4437: an /etc/group of gigabytes is not read", () => {
  for (const [name, size] of [
    ["group", 2 ** 31],
    ["passwd", 5 * 2 ** 30],
  ] as const) {
    const image = hostileImage(sandbox, `huge-${name}`, (root) =>
      truncateSync(join(root, "etc", name), size),
    );
    const { stderr } = sandbox.execute([
      "python3",
      "-c",
      PEAK,
      sandbox.binary,
      "run",
      "--rm",
      "--network",
      "none",
      "-u",
      "ada",
      image,
      "true",
    ]);
    // The peak in KiB: the program itself takes a few dozen MiB.
    expect(Number(stderr.trim().split("\n").at(-1))).toBeLessThan(200_000);
  }
  // Many lines, and one long line: found or not, it ends.
  const image = hostileImage(sandbox, "many-groups", (root) => {
    writeFileSync(join(root, "etc/group"), `long:x:5:${"ada,".repeat(200_000)}\n`);
    writeFileSync(join(root, "etc/passwd"), `${"x:x:1:1::/:\n".repeat(70_000)}late:x:0:0::/:\n`);
  });
  expect(run(image, ["-u", "3"], "id", "-u").stdout).toBe("3\n");
});

test("G9 prototype keys: names of Object.prototype are names like others", () => {
  const labels = ["--label", "__proto__=x", "--label", "constructor=y", "--label", "toString=z"];
  const id = sandbox.ok([
    "create",
    "--name",
    "constructor",
    ...labels,
    "-v",
    "constructor:/v",
    "-e",
    "__proto__=1",
    IMAGE,
  ]);
  const text = sandbox.ok(["inspect", "constructor"]);
  for (const part of ['"__proto__": "x"', '"constructor": "y"', '"toString": "z"', '"__proto__=1"'])
    expect(text).toContain(part);
  expect(sandbox.ok(["ps", "-aq", "--no-trunc", "--filter", "label=toString"])).toBe(id);
  expect(sandbox.ok(["ps", "-aq", "--filter", "label=valueOf"])).toBe("");
  sandbox.ok(["rm", "-v", "constructor"]);
  for (const words of [
    ["container", "constructor"],
    ["image", "toString"],
    ["__proto__"],
    ["system", "constructor"],
  ]) {
    const { code, stderr } = sandbox.bocker(words);
    expect([words.join(" "), code]).toEqual([words.join(" "), 1]);
    expect(stderr).toContain("is not a bocker command");
  }
  for (const options of [
    ["--tmpfs", "/x:constructor"],
    ["--tmpfs", "/x:__proto__"],
    ["--ulimit", "constructor=1"],
    ["--log-opt", "__proto__=1"],
    ["--cap-add", "constructor"],
    ["--security-opt", "toString=1"],
    ["--stop-signal", "constructor"],
    ["--name", "__proto__"],
  ])
    expectRefused(options);
  // Variables that the caller does not have.
  expect(
    script(
      sandbox,
      ["-e", "toString", "-e", "__proto__", "-e", "constructor"],
      "env | grep -c -E 'proto|String|constr'; true",
    ),
  ).toBe("0");
});

test("G9 prototype keys: in an image's configuration, too", () => {
  const image = hostileImage(sandbox, "proto", () => {}, [
    "LABEL __proto__=x",
    "LABEL constructor=y",
    "ENV __proto__=1",
  ]);
  expect(sandbox.ok(["inspect", "--type", "image", "-f", "{{json .Config.Labels}}", image])).toBe(
    '{"__proto__":"x","constructor":"y"}',
  );
  expect(run(image, [], "env").stdout).toContain("__proto__=1\n");
});

test("G10 CVE-2022-0532 CVE-2018-20699: numbers that are none, too large or negative are refused", () => {
  for (const options of [
    ["--cpuset-cpus", "1-9999999999"],
    ["--cpuset-cpus", "0-2147483647"],
    ["--cpuset-mems", "0-4294967295"],
    ["--memory", "1e30"],
    ["--memory", "-5"],
    ["--memory", "9007199254740993"],
    ["--memory", "NaN"],
    ["--pids-limit", "99999999999"],
    ["--pids-limit", "1e3"],
    ["--shm-size=-1"],
    ["--stop-timeout", "99999999999999999999"],
    ["--oom-score-adj", "NaN"],
    ["--cpus", "1e9"],
    ["--cpus", "Infinity"],
    ["--log-opt", "max-file=1e2"],
    ["--log-opt", "max-size=-1"],
    ["-p", "99999:80"],
    ["-p", "80:1e3"],
    ["--ulimit", "nofile=1e3"],
  ])
    expectRefused(options);
});

test("G10 timers: a stop timeout beyond 31 bits of milliseconds waits", async () => {
  const { id } = runDetached(sandbox, ["--stop-timeout", "2147484"], ["sleep", "1000"]);
  const [program, ...words] = sandbox.inside([sandbox.binary, "stop", id]);
  const stop = Bun.spawn([program, ...words], {
    env: sandbox.environment,
    stdout: "ignore",
    stderr: "ignore",
  });
  // As pid 1 it ignores the signal. A timer that overflows would be over long before this.
  await Bun.sleep(400);
  expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", id])).toBe("running");
  sandbox.ok(["rm", "-f", id]);
  expect(await stop.exited).toBe(0);
});
