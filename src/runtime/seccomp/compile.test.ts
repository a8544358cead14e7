/** The compiled filter against what the profile says, call by call, and against libseccomp's own filter. */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  AUDIT_ARCH_AARCH64,
  AUDIT_ARCH_ARM,
  AUDIT_ARCH_I386,
  AUDIT_ARCH_X86_64,
  compileSeccomp,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
} from "./compile.ts";
import { type SeccompEnvironment, seccompCacheKey } from "./environment.ts";
import { customSeccompFilter, defaultSeccompFilter } from "./filter.ts";
import { parseProfile } from "./parse.ts";
import type { LinuxSeccomp, Operator } from "./profile.ts";
import moby from "./profile-default.json" with { type: "json" };
import { defaultProfile } from "./profile-default.ts";
import { resolveProfile } from "./resolve.ts";
import { simulate } from "./simulate.ts";
import { syscallTable } from "./syscalls.ts";

const DEFAULT_CAPS = [
  "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP",
  "NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE",
].flatMap((line) => line.split(" ").map((name) => `CAP_${name}`));
const ALL_CAPS = [
  ...DEFAULT_CAPS,
  ...[
    "BPF DAC_READ_SEARCH PERFMON SYSLOG SYS_ADMIN SYS_BOOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE",
    "SYS_RAWIO SYS_TIME SYS_TTY_CONFIG",
  ].flatMap((line) => line.split(" ").map((name) => `CAP_${name}`)),
];

interface Abi {
  readonly name: "x86_64" | "i386" | "x32" | "arm64" | "arm";
  readonly arch: number;
  readonly offset: number;
  readonly go: string;
}
const X86: readonly Abi[] = [
  { name: "x86_64", arch: AUDIT_ARCH_X86_64, offset: 0, go: "amd64" },
  { name: "i386", arch: AUDIT_ARCH_I386, offset: 0, go: "amd64" },
  { name: "x32", arch: AUDIT_ARCH_X86_64, offset: 0x40000000, go: "amd64" },
];
const ARM: readonly Abi[] = [
  { name: "arm64", arch: AUDIT_ARCH_AARCH64, offset: 0, go: "arm64" },
  { name: "arm", arch: AUDIT_ARCH_ARM, offset: 0, go: "arm64" },
];

const ALLOW = SECCOMP_RET_ALLOW;
const errno = (value: number) => SECCOMP_RET_ERRNO | value;

/** What the JSON says about one call, written without looking at the compiler. */
class Oracle {
  private readonly byNumber = new Map<
    number,
    { allow: number; args: { index: number; value: number; op: string }[] }[]
  >();
  readonly newest: number;

  constructor(abi: Abi, caps: readonly string[], kernel48: boolean) {
    const holds = (
      c: { caps?: string[]; arches?: string[]; minKernel?: string } | undefined,
      all: boolean,
    ) => {
      const parts: boolean[] = [];
      if (c?.caps)
        parts.push(all ? c.caps.every((x) => caps.includes(x)) : c.caps.some((x) => caps.includes(x)));
      if (c?.arches) parts.push(c.arches.includes(abi.go));
      if (c?.minKernel) parts.push(kernel48);
      return all ? parts.every(Boolean) : parts.some(Boolean);
    };
    let newest = -1;
    for (const rule of moby.syscalls as unknown as {
      names: string[];
      action: string;
      errnoRet?: number;
      args?: { index: number; value: number; op: string }[];
      includes?: { caps?: string[]; arches?: string[]; minKernel?: string };
      excludes?: { caps?: string[]; arches?: string[]; minKernel?: string };
    }[]) {
      if (!holds(rule.includes, true) || holds(rule.excludes, false)) continue;
      for (const name of rule.names) {
        const number = syscallTable(abi.name).get(name);
        if (number === undefined) continue;
        newest = Math.max(newest, number);
        const list = this.byNumber.get(number) ?? [];
        const allow = rule.action === "SCMP_ACT_ALLOW" ? ALLOW : errno(rule.errnoRet ?? 1);
        list.push({ allow, args: rule.args ?? [] });
        this.byNumber.set(number, list);
      }
    }
    this.newest = newest;
    const socketcall = syscallTable(abi.name).get("socketcall");
    if (socketcall !== undefined) {
      this.byNumber.set(socketcall, [{ allow: ALLOW, args: [{ index: 0, value: 1, op: "NOT" }] }]);
    }
  }

  verdict(number: number, args: readonly bigint[]): number {
    const rules = this.byNumber.get(number);
    if (rules === undefined) return number > this.newest ? errno(38) : errno(1);
    for (const rule of rules) {
      const matches = rule.args.every(({ index, value, op }) => {
        const wide = args[index] ?? 0n;
        const narrow = wide & 0xffffffffn;
        const limit = BigInt(value);
        if (op === "NOT") return narrow !== limit;
        if (op === "SCMP_CMP_LT") return narrow < limit;
        if (op === "SCMP_CMP_GT") return narrow > limit;
        // socket's `== 39` is 32 bits wide, personality's equalities are 64.
        if (op === "SCMP_CMP_EQ") return (limit === 39n ? narrow : wide) === limit;
        return (wide & limit) === 0n;
      });
      if (matches) return rule.allow;
    }
    return errno(1);
  }
}

const FIRST_ARGUMENTS = [
  0n,
  1n,
  2n,
  8n,
  16n,
  37n,
  38n,
  39n,
  40n,
  41n,
  0x20000n,
  0x20008n,
  0x7e020000n,
  0x10000000n,
  0x2000000n,
  0x11n,
  0xffffffffn,
  0x100000000n,
  0x100000026n,
  0x100000027n,
  0x100000028n,
  0xffffffffffffffffn,
  0x3d0f00n,
];

function numbers(abi: Abi): number[] {
  const list = Array.from({ length: 1025 }, (_, i) => i);
  list.push(4096, 0xffff, 0x0f0001, 0x0f0002, 0x0f0003, 0x0f0005, 0x0f0006, 0x3fffffff);
  return list.map((number) => number + abi.offset);
}

const CASES: [string, readonly string[], string][] = [
  ["default capabilities", DEFAULT_CAPS, "6.1.0-18-amd64"],
  ["all capabilities", ALL_CAPS, "6.1.0"],
  ["no capabilities", [], "5.11"],
  ["kernel 4.7", DEFAULT_CAPS, "4.7.9"],
];

describe.each([
  ["x64", X86],
  ["arm64", ARM],
] as const)("%s", (arch, abis) => {
  test.each(CASES)("every call has the profile's verdict: %s", (_, capabilities, kernelRelease) => {
    const { program } = defaultSeccompFilter({ arch, capabilities, kernelRelease });
    for (const abi of abis) {
      const oracle = new Oracle(abi, capabilities, kernelRelease !== "4.7.9");
      for (const number of numbers(abi)) {
        for (const first of FIRST_ARGUMENTS) {
          const args = [first, 0x123456789n];
          const got = simulate(program, { arch: abi.arch, number, args });
          if (got !== oracle.verdict(number, args)) {
            throw new Error(
              `${abi.name} ${number}(${first}): ${got.toString(16)}, profile: ${oracle.verdict(number, args).toString(16)}`,
            );
          }
        }
      }
    }
  });

  test("another architecture is killed", () => {
    const { program } = defaultSeccompFilter({ arch, capabilities: [], kernelRelease: "6.1" });
    for (const foreign of [0, 8, 0xc00000f3, arch === "x64" ? AUDIT_ARCH_AARCH64 : AUDIT_ARCH_X86_64]) {
      expect(simulate(program, { arch: foreign, number: 0 })).toBe(SECCOMP_RET_KILL_PROCESS);
    }
  });
});

const x64: SeccompEnvironment = { arch: "x64", capabilities: DEFAULT_CAPS, kernelRelease: "6.1" };

test("AF_ALG and AF_VSOCK are refused however the register's upper half looks", () => {
  const { program } = defaultSeccompFilter(x64);
  for (const family of [38n, 40n, 0x100000026n, 0xffffffff00000028n]) {
    expect(simulate(program, { arch: AUDIT_ARCH_X86_64, number: 41, args: [family] })).toBe(errno(1));
    expect(simulate(program, { arch: AUDIT_ARCH_I386, number: 359, args: [family] })).toBe(errno(1));
  }
  expect(simulate(program, { arch: AUDIT_ARCH_I386, number: 102, args: [1n] })).toBe(errno(1));
  expect(simulate(program, { arch: AUDIT_ARCH_I386, number: 102, args: [3n] })).toBe(ALLOW);
});

test("the program is small", () => {
  expect(defaultSeccompFilter(x64).program.length / 8).toBeLessThan(450);
});

test("every operator compares 64 bits", () => {
  const values = [0n, 1n, 5n, 0xffffffffn, 0x100000000n, 0x100000005n, 0x200000000n, 0xffffffffffffffffn];
  const holds: Record<string, (a: bigint, v: bigint, w: bigint) => boolean> = {
    SCMP_CMP_NE: (a, v) => a !== v,
    SCMP_CMP_LT: (a, v) => a < v,
    SCMP_CMP_LE: (a, v) => a <= v,
    SCMP_CMP_EQ: (a, v) => a === v,
    SCMP_CMP_GE: (a, v) => a >= v,
    SCMP_CMP_GT: (a, v) => a > v,
    SCMP_CMP_MASKED_EQ: (a, v, w) => (a & v) === w,
  };
  for (const [op, want] of Object.entries(holds)) {
    for (const value of values) {
      for (const valueTwo of op === "SCMP_CMP_MASKED_EQ" ? values : [0n]) {
        const seccomp: LinuxSeccomp = {
          defaultAction: "SCMP_ACT_ERRNO",
          architectures: ["SCMP_ARCH_X86_64"],
          syscalls: [
            {
              names: ["read"],
              action: "SCMP_ACT_ALLOW",
              args: [{ index: 5, value, valueTwo, op: op as Operator }],
            },
          ],
        };
        const { program } = compileSeccomp(seccomp);
        for (const a of values) {
          const got = simulate(program, {
            arch: AUDIT_ARCH_X86_64,
            number: 0,
            args: [0n, 0n, 0n, 0n, 0n, a],
          });
          expect(`${op} ${a} ${value} ${valueTwo} ${got === ALLOW}`).toBe(
            `${op} ${a} ${value} ${valueTwo} ${want(a, value, valueTwo)}`,
          );
        }
      }
    }
  }
});

test("conditions on two arguments must both hold; on one argument any may (runc)", () => {
  const rule = (indexes: [number, number]) =>
    compileSeccomp({
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 22,
      architectures: ["SCMP_ARCH_X86_64"],
      syscalls: [
        {
          names: ["read"],
          action: "SCMP_ACT_ALLOW",
          args: [
            { index: indexes[0], value: 1, op: "SCMP_CMP_EQ" },
            { index: indexes[1], value: 2, op: "SCMP_CMP_EQ" },
          ],
        },
      ],
    }).program;
  const read = (program: Uint8Array, ...args: bigint[]) =>
    simulate(program, { arch: AUDIT_ARCH_X86_64, number: 0, args });
  expect(read(rule([0, 1]), 1n, 2n)).toBe(ALLOW);
  expect(read(rule([0, 1]), 1n, 3n)).toBe(errno(22));
  expect(read(rule([0, 0]), 2n)).toBe(ALLOW);
  expect(read(rule([0, 0]), 3n)).toBe(errno(22));
});

test("a long program of alternatives still reaches its ends", () => {
  const names = [...syscallTable("x86_64").keys()].filter((_, i) => i % 2 === 0);
  const args = Array.from({ length: 3 }, (_, i) => ({ index: 0, value: i * 7, op: "SCMP_CMP_EQ" as const }));
  const { program } = compileSeccomp({
    defaultAction: "SCMP_ACT_ERRNO",
    architectures: ["SCMP_ARCH_X86_64"],
    syscalls: [{ names, action: "SCMP_ACT_ALLOW", args }],
  });
  for (const name of names) {
    const number = syscallTable("x86_64").get(name) as number;
    for (const [value, want] of [
      [0n, ALLOW],
      [7n, ALLOW],
      [14n, ALLOW],
      [15n, errno(1)],
    ] as const) {
      expect(simulate(program, { arch: AUDIT_ARCH_X86_64, number, args: [value] })).toBe(want);
    }
  }
});

test("a custom profile: 64-bit values, old single names, default allow without ENOSYS", async () => {
  const text = `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"unknown":1,"syscalls":[
    {"name":"mkdir","action":"SCMP_ACT_ERRNO","errnoRet":13},
    {"names":["close"],"action":"SCMP_ACT_KILL_PROCESS","args":[{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]}`;
  const { program } = await customSeccompFilter(x64, text);
  const call = (number: number, ...args: bigint[]) =>
    simulate(program, { arch: AUDIT_ARCH_X86_64, number, args });
  expect(call(83)).toBe(errno(13));
  expect(call(3, 0xffffffffffffffffn)).toBe(SECCOMP_RET_KILL_PROCESS);
  expect(call(3, 0xfffffffffffffffen)).toBe(ALLOW);
  expect(call(9999)).toBe(ALLOW);
  expect(simulate(program, { arch: AUDIT_ARCH_I386, number: 3 })).toBe(SECCOMP_RET_KILL_PROCESS);
});

test("a bad profile is refused with its place", () => {
  expect(() => parseProfile("{")).toThrow(/Decoding seccomp profile failed/);
  expect(() => parseProfile('{"defaultAction":"ALLOW"}')).toThrow(/defaultAction/);
  expect(() =>
    parseProfile(
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]}',
    ),
  ).toThrow(/syscalls\.0\.args\.0\.index/);
  expect(() =>
    resolveProfile(
      parseProfile(
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"name":"b","action":"SCMP_ACT_LOG"}]}',
      ),
      x64,
    ),
  ).toThrow(/use either 'name' or 'names'/);
});

test("cache keys differ when the filter does", () => {
  const keys = [
    seccompCacheKey(x64),
    seccompCacheKey({ ...x64, kernelRelease: "4.7" }),
    seccompCacheKey({ ...x64, arch: "arm64" }),
    seccompCacheKey({ ...x64, capabilities: ALL_CAPS }),
    seccompCacheKey(x64, "{}"),
    seccompCacheKey(x64, "{} "),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(seccompCacheKey({ ...x64, kernelRelease: "6.12" })).toBe(seccompCacheKey(x64));
  for (const rule of defaultProfile().syscalls ?? []) {
    for (const cap of [...(rule.includes?.caps ?? []), ...(rule.excludes?.caps ?? [])]) {
      expect(seccompCacheKey({ ...x64, capabilities: [cap] })).not.toBe(
        seccompCacheKey({ ...x64, capabilities: [] }),
      );
    }
  }
});

/** Builds the policy with libseccomp, as runc does, and prints the BPF in hex and the names it did not know. */
const LIBSECCOMP = `
import sys, json, tempfile, seccomp as s
p = json.load(sys.stdin)
act = lambda a, e: s.ALLOW if a == "SCMP_ACT_ALLOW" else s.ERRNO(e)
ops = {"SCMP_CMP_NE": s.NE, "SCMP_CMP_LT": s.LT, "SCMP_CMP_LE": s.LE, "SCMP_CMP_EQ": s.EQ, "SCMP_CMP_GE": s.GE, "SCMP_CMP_GT": s.GT, "SCMP_CMP_MASKED_EQ": s.MASKED_EQ}
f = s.SyscallFilter(defaction=act(p["defaultAction"], p.get("defaultErrnoRet") or 1))
arch = {"SCMP_ARCH_X86_64": s.Arch.X86_64, "SCMP_ARCH_X86": s.Arch.X86, "SCMP_ARCH_X32": s.Arch.X32, "SCMP_ARCH_AARCH64": s.Arch.AARCH64, "SCMP_ARCH_ARM": s.Arch.ARM}
native = s.Arch()
wanted = [arch[a] for a in p["architectures"]]
for a in wanted:
    if not f.exist_arch(a): f.add_arch(a)
if native not in wanted and f.exist_arch(s.Arch.X86_64) and s.Arch.X86_64 not in wanted: f.remove_arch(s.Arch.X86_64)
unknown = []
for r in p["syscalls"]:
    for n in r["names"]:
        args = [s.Arg(a["index"], ops[a["op"]], a["value"], a.get("valueTwo") or 0) for a in (r.get("args") or [])]
        try: f.add_rule(act(r["action"], r.get("errnoRet") or 1), n, *args)
        except (ValueError, RuntimeError): unknown.append(n)
with tempfile.TemporaryFile() as t:
    f.export_bpf(t); t.seek(0); print(json.dumps({"bpf": t.read().hex(), "unknown": unknown}))
`;
const hasLibseccomp = spawnSync("/usr/bin/python3", ["-c", "import seccomp"]).status === 0;
if (!hasLibseccomp) console.warn("SKIPPED: comparison with libseccomp (apt-get install python3-seccomp)");

describe.skipIf(!hasLibseccomp)("libseccomp gives the same verdicts", () => {
  test.each(CASES)("%s", (_, capabilities, kernelRelease) => {
    for (const [arch, abis] of [
      ["x64", X86],
      ["arm64", ARM],
    ] as const) {
      const policy = resolveProfile(moby as never, { arch, capabilities, kernelRelease });
      const reference = spawnSync("/usr/bin/python3", ["-c", LIBSECCOMP], {
        input: JSON.stringify(policy),
        encoding: "utf8",
        maxBuffer: 1 << 24,
      });
      expect(reference.stderr).toBe("");
      const { bpf, unknown } = JSON.parse(reference.stdout) as { bpf: string; unknown: string[] };
      const theirs = Buffer.from(bpf, "hex");
      const ours = compileSeccomp(policy).program;
      let compared = 0;
      for (const abi of abis) {
        const table = syscallTable(abi.name);
        const conditional = new Set(
          policy.syscalls.flatMap(({ names, args }) => (args ? names.map((name) => table.get(name)) : [])),
        );
        const skipped = new Set(unknown.map((name) => table.get(name)));
        const newest = Math.max(
          ...policy.syscalls.flatMap(({ names }) => names.map((name) => table.get(name) ?? 0)),
        );
        for (const number of numbers(abi)) {
          if (skipped.has(number) || number > newest) continue;
          for (const first of conditional.has(number) ? FIRST_ARGUMENTS : [0n]) {
            // libseccomp looks at the low word only where pointers are 32 bits wide, x32 included.
            const wide = ["i386", "x32", "arm"].includes(abi.name) ? first & 0xffffffffn : first;
            const call = { arch: abi.arch, number, args: [wide, 0x123456789n] };
            compared += 1;
            if (simulate(theirs, call) !== simulate(ours, call)) {
              throw new Error(
                `${abi.name} ${number}(${first}): libseccomp ${simulate(theirs, call).toString(16)}, bocker ${simulate(ours, call).toString(16)}`,
              );
            }
          }
        }
      }
      expect(compared).toBeGreaterThan(900);
    }
  });
});
