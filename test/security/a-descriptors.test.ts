/** Class A of docs/security.md: descriptors and links of /proc that lead out, and programs of the host that are overwritten. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../e2e/busybox.ts";
import { statusField } from "../e2e/container/kernel.ts";
import { withRunning } from "../e2e/container/running.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import { Canary, hostileImage, numbers, rounds, shell } from "./hostile.ts";

let sandbox: Sandbox;
let canary: Canary;
beforeAll(() => {
  sandbox = busyboxSandbox();
  canary = new Canary(sandbox);
});
afterAll(() => sandbox.remove());

const RUN = "$BOCKER run --rm --network none";
/** From a directory that is anywhere on the machine to the canary. */
const CLIMB = () => `../../../../../../../..${canary.path}`;

test("A1 CVE-2016-9962: who watches /proc while exec enters sees no file of the host", () => {
  const watch =
    "while :; do for p in /proc/[0-9]*; do ls -l $p/fd $p/cwd $p/root $p/exe 2>/dev/null; done; done > /log";
  withRunning(
    sandbox,
    ["--cap-add", "SYS_PTRACE"],
    ({ id }) => {
      const { code, stderr } = shell(
        sandbox,
        `i=0; while [ $i -lt ${rounds(500)} ]; do $BOCKER exec ${id} true || exit 1; i=$((i+1)); done`,
      );
      expect([code, stderr]).toEqual([0, ""]);
      // Busy as it is, the watcher's log is read from the layer it writes to.
      const log = readFileSync(join(sandbox.data, "containers", id, "upper/log"), "utf8");
      const targets = new Set([...log.matchAll(/ -> (.+)$/gm)].map(([, target]) => target!));
      expect(targets.size).toBeGreaterThan(3);
      // The launcher itself shows, sealed: A7.
      const known =
        /^(\/|\/log|\/memfd:bocker-launcher \(deleted\)|\/bin\/busybox|\/dev\/null|\/proc(\/\S*)?|(pipe|socket|anon_inode|mnt|net|pid):?\[.*)$/;
      expect([...targets].filter((target) => !known.test(target))).toEqual([]);
      canary.expectUntouched(log);
    },
    ["sh", "-c", watch],
  );
});

test("A2 CVE-2024-21626: a working directory that is a descriptor of the launcher's is refused", () => {
  const list = numbers(3, 300, 40).join(" ");
  const { stdout, stderr } = shell(
    sandbox,
    `for n in ${list}; do ${RUN} -w /proc/self/fd/$n ${IMAGE} sh -c 'cat ${CLIMB()}; pwd -P' && echo "ran: $n"; done; true`,
  );
  expect(stdout).toBe("");
  canary.expectUntouched(stdout, stderr);
});

test("A2 CVE-2024-21626: nor by a link in the image and its WORKDIR", () => {
  for (const n of rounds(12, 6) === 6 ? [3, 5, 6, 7, 8, 9] : numbers(3, 20, 18)) {
    const image = hostileImage(
      sandbox,
      `cwd-${n}`,
      (root) => symlinkSync(`/proc/self/fd/${n}`, join(root, "wd")),
      ["WORKDIR /wd"],
    );
    const { code, stdout } = sandbox.bocker(["run", "--rm", "--network", "none", image, "cat", CLIMB()]);
    expect([n, code, stdout]).toEqual([n, 125, ""]);
  }
  canary.expectUntouched();
});

test("A3 CVE-2024-21626: exec -w into a directory that becomes a link to a descriptor meanwhile", () => {
  const swap = "while :; do rm -rf /w; mkdir /w; rm -rf /w; ln -s /proc/self/fd/$((n=n%12+3)) /w; done";
  withRunning(
    sandbox,
    [],
    ({ id }) => {
      const { stdout, stderr } = shell(
        sandbox,
        `i=0; while [ $i -lt ${rounds(1000)} ]; do $BOCKER exec -w /w ${id} sh -c 'cat ${CLIMB()} 2>/dev/null; pwd -P'; i=$((i+1)); done; true`,
      );
      // Where it was a directory at that moment, the command has run in it.
      expect(new Set(stdout.split("\n").filter((line) => line !== "" && line !== "/w"))).toEqual(new Set());
      canary.expectUntouched(stdout, stderr);
    },
    ["sh", "-c", swap],
  );
});

test("A4 CVE-2024-21626: a program by way of a descriptor is not found", () => {
  const { stdout } = shell(
    sandbox,
    `for n in ${numbers(3, 300, 40).join(" ")}; do ${RUN} --entrypoint /proc/self/fd/$n/../../../bin/sh ${IMAGE} -c id 2>/dev/null; echo $?; done`,
  );
  expect(
    stdout
      .trim()
      .split("\n")
      .filter((code) => code !== "127" && code !== "126"),
  ).toEqual([]);
});

test("A5 descriptors: whatever the caller has left open, above gaps, too, none is in the container", () => {
  const leak = `exec 9<${canary.directory} 16<${canary.path} 40<${canary.path} 200<>/dev/null`;
  const words = `sh -c 'ls -l /proc/self/fd | grep -c " -> "; cat <&9; cat <&16; cat <&40; true'`;
  const run = sandbox.execute([
    "bash",
    "-c",
    `${leak}; ${sandbox.binary} run --rm --network none ${IMAGE} ${words}`,
  ]);
  // 0, 1 and 2; the directory that ls reads has gone when it looks.
  expect(run.stdout).toBe("3\n");
  withRunning(sandbox, [], ({ id }) => {
    const exec = sandbox.execute(["bash", "-c", `${leak}; ${sandbox.binary} exec ${id} ${words}`]);
    expect(exec.stdout).toBe("3\n");
    canary.expectUntouched(run.stdout, run.stderr, exec.stdout, exec.stderr);
  });
});

test("A6 descriptors: before the program is executed, the process holds what the plan says and nothing else", () => {
  // The program is looked up in a directory that answers slowly enough: none. So the last moment is looked at in the
  // trace: everything above 2 is close-on-exec by one call, directly before execve.
  const out = join(sandbox.directory, "trace");
  const traced = sandbox.execute(
    ["strace", "-f", "-qq", "-e", "trace=close_range,execve", "-o", out, sandbox.binary].concat([
      "run",
      "--rm",
      "--network",
      "none",
      IMAGE,
      "true",
    ]),
  );
  expect(traced.code).toBe(0);
  const calls = readFileSync(out, "utf8").split("\n");
  const exec = calls.findIndex((line) => /execve\("\/bin\/true"/.test(line));
  const pid = calls[exec]!.split(" ")[0];
  const before = calls
    .slice(0, exec)
    .filter((line) => line.startsWith(`${pid} `) && !line.includes("ENOENT"));
  expect(before.at(-1)).toMatch(/close_range\(3, 4294967295, CLOSE_RANGE_CLOEXEC\) += 0/);
});

test("A7 CVE-2019-5736: neither exec nor run gives the container a program of the host's to write to", () => {
  const image = hostileImage(sandbox, "self-exe", (root) => {
    writeFileSync(join(root, "self"), "#!/proc/self/exe\n");
    chmodSync(join(root, "self"), 0o755);
  });
  const overwrite =
    'while :; do for p in /proc/[0-9]*/exe; do exec 3<$p && (echo pwn >/proc/self/fd/3) && echo "$(readlink $p)" >> /written; done; done 2>/dev/null';
  const id = sandbox.ok([
    "run",
    "-d",
    "--network",
    "none",
    "--cap-add",
    "SYS_PTRACE",
    image,
    "sh",
    "-c",
    overwrite,
  ]);
  try {
    shell(
      sandbox,
      `i=0; while [ $i -lt ${rounds(1000, 20)} ]; do $BOCKER exec ${id} true; $BOCKER exec ${id} /self; ${RUN} ${image} /self; i=$((i+1)); done 2>/dev/null; true`,
    );
  } finally {
    sandbox.ok(["rm", "-f", id]);
  }
  canary.expectUntouched();
  // What the launcher runs from has no name and every seal.
  withRunning(sandbox, [], ({ pid }) => {
    const monitor = Number(statusField(pid, "PPid"));
    expect(readlinkSync(`/proc/${monitor}/exe`)).toStartWith("/memfd:bocker-launcher");
    const write = sandbox.execute(["sh", "-c", `exec 3</proc/${monitor}/exe; echo x > /proc/self/fd/3`]);
    expect(write.code).not.toBe(0);
  });
});

test("A8 CVE-2022-1227: programs of the image's with names of the host's tools are never run by bocker", () => {
  const tools = "nsenter ps tar xz unpigz gzip zstd bzip2 mount ip iptables nft newuidmap sh".split(" ");
  const image = hostileImage(sandbox, "own-tools", (root) => {
    mkdirSync(join(root, "usr/bin"));
    for (const tool of tools) {
      const path = join(root, "usr/bin", tool);
      writeFileSync(path, `#!/bin/busybox sh\n/bin/busybox touch /PWNED-$0 ${canary.directory}/PWNED\n`);
      chmodSync(path, 0o755);
    }
  });
  const id = sandbox.ok([
    "run",
    "-d",
    "--network",
    "none",
    "-e",
    "PATH=/usr/bin",
    image,
    "/bin/busybox",
    "sleep",
    "9999",
  ]);
  for (const words of [
    ["exec", id, "/bin/busybox", "true"],
    ["inspect", "-s", id],
    ["ps", "-s"],
    ["top", id],
    ["top", id, "aux"],
    ["diff", id],
    ["cp", `${id}:/etc`, join(sandbox.directory, "etc-of-own-tools")],
    ["cp", join(sandbox.directory, "etc-of-own-tools"), `${id}:/`],
    ["commit", id, "committed"],
    ["logs", id],
    ["stop", "-t", "0", id],
    ["start", id],
  ])
    sandbox.ok(words);
  expect(
    readdirSync(join(sandbox.data, "containers", id, "upper")).filter((name) => /PWNED/.test(name)),
  ).toEqual([]);
  sandbox.ok(["rm", "-f", id]);
  canary.expectUntouched();
});
