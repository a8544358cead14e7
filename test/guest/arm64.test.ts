/** bocker, cross compiled, on an arm64 kernel: in a virtual machine. */
import { beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Facts, parseFacts } from "../../scripts/compare-defaults/facts.ts";
import { parseFilters } from "../../scripts/compare-defaults/filters.ts";
import { changes, expectedOf, readKept } from "../../scripts/compare-defaults/kept.ts";
import { isPortable } from "../../scripts/compare-defaults/machine.ts";
import { DEFAULT_CAPABILITIES } from "../../src/runtime/generate/capabilities.ts";
import { AUDIT_ARCH_AARCH64 } from "../../src/runtime/seccomp/compile.ts";
import { defaultSeccompFilter } from "../../src/runtime/seccomp/filter.ts";
import { simulate } from "../../src/runtime/seccomp/simulate.ts";
import { syscallTable } from "../../src/runtime/seccomp/syscalls.ts";
import { VERSION } from "../../src/version.ts";
import { BINARY } from "../e2e/sandbox.ts";
import { arm64Files, arm64Parts, buildForArm64 } from "./arm64.ts";
import { runBusybox } from "./busybox.ts";

const { parts, missing } = arm64Parts();
if (parts === undefined) console.warn(`SKIPPED: arm64 in a virtual machine needs ${missing.join(", ")}`);

const ALLOWED = 0x7fff0000;
const REFUSED: Record<number, string> = { 327681: "EPERM", 327718: "ENOSYS" };
/** The probe does not try them. */
const UNTRIED = ["sync", "vhangup"];

/** What is not as on the x86-64 machine where docker's facts were kept, by fact: each for a reason of its own. */
const OTHERWISE = {
  // PR_GET_TSC is x86's.
  "process timestamps": "EINVAL",
  // O_LARGEFILE, which the kernel adds to an open, has another number.
  "descriptors 0": "/dev/null chr 1:3 0666 0:0 flags 400000",
  // The guest's store is in memory.
  "mounts /etc/hostname type": "tmpfs",
  "mounts /etc/hosts type": "tmpfs",
  // Debian's kernel has a /proc/kcore.
  "dev /dev/core": "link 0777 0:0 -> /proc/kcore",
};

describe.skipIf(parts === undefined)("on arm64", () => {
  let sections: Map<string, string>;
  const section = (name: string) => sections.get(name) ?? "";
  const lines = (name: string) => section(name).split("\n");
  let directory: string;
  beforeAll(async () => {
    directory = buildForArm64();
    sections = await runBusybox(parts!, "arm64.sh", arm64Files());
  }, 700_000);

  test("the package for npm has a program, a launcher and an addon of arm64", () => {
    const EM_AARCH64 = 183;
    for (const name of ["bocker", "bocker-launcher", "syscalls.node"])
      expect([name, readFileSync(join(directory, name)).readUInt16LE(18)]).toEqual([name, EM_AARCH64]);
  });

  test("the program knows where it is, and npm's bin/bocker finds it there", () => {
    const [machine, version, installed, , , info] = lines("version");
    expect([machine, version, info]).toEqual(["aarch64", "linux/arm64", "aarch64 linux 2"]);
    expect(installed).toBe(`bocker version ${VERSION}`);
  });

  test("its bytecode, made on x86-64, is taken where x86-64 takes its own", () => {
    const env = { ...process.env, BUN_JSC_verboseDiskCache: "1" };
    const { stderr, stdout } = spawnSync(BINARY, ["version"], { encoding: "utf8", env });
    const count = (what: string) => `${stdout}${stderr}`.split(`Cache ${what}`).length - 1;
    expect(lines("version").slice(3, 5)).toEqual([String(count("hit")), String(count("miss"))]);
    expect(count("hit")).toBeGreaterThan(count("miss"));
  });

  test("containers run, of an image and of the machine's own files", () => {
    expect(lines("init")).toEqual([expect.stringMatching(/^sha256:[0-9a-f]{64}$/), "linux/arm64"]);
    expect(section("run")).toBe("out\ncode 42\nerror");
    expect(section("own-codes")).toBe("code 126\ncode 127\ncode 137");
    expect(section("host-image")).toBe("from the host image\n/bin/busybox");
    expect(section("upon-host")).toBe("upon the host\n/bin/busybox");
  });

  test("limits can be read back from the kernel", () => {
    expect(lines("server")).toEqual([String(32 << 20), String(16 << 20), "50000 100000", "20", "1", "21"]);
  });

  test("the bridge and a published port work", () => {
    expect(section("published")).toBe("hello from arm64\nhello from arm64");
  });

  test("ps, logs, exec, commit, export, stop, start, rm", () => {
    expect(section("ps")).toBe("server busybox 0.0.0.0:8080->80/tcp");
    expect(section("logs")).toBe("serving");
    expect(section("exec")).toBe("/w\nB\ncode 3");
    expect(section("commit")).toBe("kept\n/etc/passwd\ngone\n2");
    expect(section("export")).toBe("5");
    expect(section("stop")).toBe("server\nexited 137\nserver\nserver");
  });

  test("devices are refused unless allowed", () => {
    const said = lines("devices");
    expect(said.slice(0, 2)).toEqual(["null works", "mknod works"]);
    expect(said[2]).toContain("Operation not permitted");
    expect(said[3]).toBe("tty reads");
    expect(said[4]).toContain("Operation not permitted");
  });

  test("links of an image lead nowhere but into its root", () => {
    expect(lines("links")).toEqual(["/escape/place/inner", "/other/inner", "in a volume"]);
  });

  test("terminals: the container's, and bocker's own", () => {
    expect(section("terminal")).toBe("/dev/pts/0\na terminal");
    expect(section("own-terminal")).toBe("33 99\ncode 5\nput back\naarch64");
  });

  test("--init reaps, passes codes back and signals on", () => {
    expect(section("first-process")).toBe("bocker-init\n0\ncode 9");
    expect(lines("service").at(-1)).toBe("8");
  });

  test("container and monitor leave the service that bocker was called from", () => {
    expect(lines("service").slice(0, -1)).toEqual(["0", "1"]);
  });

  test("out of memory is told", () => {
    expect(section("out-of-memory")).toBe("code 137\ntrue");
  });

  describe("confinement", () => {
    let facts: Facts;
    let program: Uint8Array;
    beforeAll(() => {
      facts = parseFacts(section("facts"), "/no/directory");
      program = parseFilters(Buffer.from(section("filter"), "base64"))[0]!;
    });

    test("capabilities, namespaces, mounts, devices and masks are docker's", () => {
      const differences = [...changes(expectedOf(readKept(), "run"), facts)]
        .filter(([name]) => isPortable(name) && !name.startsWith("filter"))
        .map(([name, value]) => [name.replace("\t", " "), value]);
      expect(Object.fromEntries(differences)).toEqual(OTHERWISE);
      expect(facts.get("capabilities\tCapEff")).toBe("00000000a80425fb");
      expect(facts.get("process\tSeccomp_filters")).toBe("1");
    });

    test("the filter is the one that is compiled for arm64", () => {
      const environment = {
        arch: "arm64",
        kernelRelease: "6.1.0",
        capabilities: DEFAULT_CAPABILITIES,
      } as const;
      expect(Buffer.from(program)).toEqual(Buffer.from(defaultSeccompFilter(environment).program));
    });

    test("every system call is refused by it, or answered as without it", () => {
      const unfiltered = new Map(
        lines("unfiltered").map((line) => line.split("\t").slice(1) as [string, string]),
      );
      const counts = { allowed: 0, EPERM: 0, ENOSYS: 0 };
      const args = Array<bigint>(6).fill(0xffffffffffffffffn);
      for (const [name, number] of syscallTable("arm64")) {
        if (UNTRIED.includes(name)) continue;
        const verdict = simulate(program, { arch: AUDIT_ARCH_AARCH64, number, args });
        const expected = verdict === ALLOWED ? unfiltered.get(String(number)) : REFUSED[verdict];
        counts[REFUSED[verdict] === undefined ? "allowed" : (REFUSED[verdict] as "EPERM")]++;
        expect([name, facts.get(`calls\t${number}`)]).toEqual([name, expected]);
      }
      expect(counts.allowed).toBeGreaterThan(250);
      expect(counts.EPERM).toBeGreaterThan(50);
      for (const name of ["keyctl", "bpf", "kexec_load", "mount", "unshare"])
        expect([name, facts.get(`calls\t${syscallTable("arm64").get(name)}`)]).toEqual([name, "EPERM"]);
    });

    test("calls of 32-bit programs are filtered, too; without them in the profile they end the process", () => {
      // EPERM of the filter; EINVAL of keyctl itself; SIGSYS.
      expect(lines("arm32")).toEqual(["filtered 1", "unfiltered 22", "another architecture 159"]);
    });
  });

  test("what is explained is of arm64", () => {
    const [load, calls, script] = lines("explained").map((line) => line.trim());
    expect(load).toMatch(/load the system call filter \(\d+ BPF instructions\)/);
    // On x86-64 afs_syscall is between them.
    expect(calls).toMatch(/^\d+ system calls pass, \d+ are refused \(acct, add_key, bpf, /);
    expect(script).toBe("a script");
  });

  test("nothing is left", () => {
    expect(section("left")).toBe("0\nNothing found.");
  });
});
