/** What a container's seccomp filters say to every system call of each ABI: the kernel's own bytes, run here. */
import { AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, X32_BIT } from "../../src/runtime/seccomp/compile.ts";
import { simulate } from "../../src/runtime/seccomp/simulate.ts";
import { syscallTable } from "../../src/runtime/seccomp/syscalls.ts";
import { type Facts, factName } from "./facts.ts";

const INSTRUCTION_BYTES = 8;
const ABIS = { x86_64: AUDIT_ARCH_X86_64, i386: AUDIT_ARCH_I386, x32: AUDIT_ARCH_X86_64 } as const;
const LAST_NUMBER = 511;
/** i386 has no arguments of 64 bits. */
const ALL_ONES = { x86_64: 0xffffffffffffffffn, i386: 0xffffffffn, x32: 0xffffffffffffffffn } as const;

/** First arguments that the profile tells apart, and some that only a filter of 64 bits does, by call. */
const FIRST_ARGUMENTS: Record<string, Record<string, bigint>> = {
  socket: {
    ...{
      AF_UNIX: 1n,
      AF_INET: 2n,
      AF_INET6: 10n,
      AF_NETLINK: 16n,
      AF_PACKET: 17n,
      AF_RDS: 21n,
      AF_TIPC: 30n,
    },
    ...{ AF_ALG: 38n, AF_NFC: 39n, AF_VSOCK: 40n, AF_KCM: 41n, AF_XDP: 44n },
    ...{ "AF_ALG+2**32": 0x100000026n, "AF_VSOCK+2**32": 0x100000028n },
  },
  personality: Object.fromEntries(
    [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn, 0x40000n, 1n].map((value) => [
      `0x${value.toString(16)}`,
      value,
    ]),
  ),
  clone: {
    ...{ thread: 0x3d0f00n, fork: 0x1200011n, NEWNS: 0x20000n, NEWCGROUP: 0x2000000n, NEWUTS: 0x4000000n },
    ...{ NEWIPC: 0x8000000n, NEWUSER: 0x10000000n, NEWPID: 0x20000000n, NEWNET: 0x40000000n },
    ...{ "NEWUSER+2**32": 0x110000000n },
  },
  socketcall: Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [String(index + 1), BigInt(index + 1)]),
  ),
};

/** Programs as `probe filter` writes them: a count of instructions before each. */
export function parseFilters(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const programs: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, true) * INSTRUCTION_BYTES;
    programs.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return programs;
}

const ACTIONS: Record<number, string> = {
  2147483648: "kills the process",
  0: "kills the thread",
  196608: "SIGSYS",
  2146435072: "trace",
  2147221504: "log",
  2147418112: "allowed",
};
const ERRORS: Record<number, string> = { 1: "EPERM", 22: "EINVAL", 38: "ENOSYS" };
const RET_ERRNO = 0x50000;

/** Of several filters the strictest counts: the kernel compares actions as signed numbers. */
function verdict(programs: Uint8Array[], arch: number, number: number, args: bigint[]): string {
  const answers = programs.map((program) => simulate(program, { arch, number, args }));
  const action = (answer: number) => (answer & 0xffff0000) | 0;
  const answer = answers.reduce((least, each) => (action(each) < action(least) ? each : least), 0x7fff0000);
  if (action(answer) === RET_ERRNO) return ERRORS[answer & 0xffff] ?? `errno ${answer & 0xffff}`;
  return ACTIONS[(answer & 0xffff0000) >>> 0] ?? answer.toString(16);
}

/** Every call by its name, and the numbers without one. */
function callsOf(abi: keyof typeof ABIS): [name: string, number: number][] {
  const calls = [...syscallTable(abi)];
  const known = new Set(calls.map(([, number]) => number));
  const base = abi === "x32" ? X32_BIT : 0;
  for (let number = base; number <= base + LAST_NUMBER; number++)
    if (!known.has(number)) calls.push([String(number - base), number]);
  return calls;
}

/** One fact a call: its verdict; where it depends on arguments, those without any and with all bits. */
export function filterFacts(programs: Uint8Array[]): Facts {
  const facts: Facts = new Map([[factName("filter", "count"), String(programs.length)]]);
  if (programs.length === 0) return facts;
  for (const [abi, arch] of Object.entries(ABIS) as [keyof typeof ABIS, number][]) {
    for (const [name, number] of callsOf(abi)) {
      const [none, all] = [[], Array<bigint>(6).fill(ALL_ONES[abi])].map((args) =>
        verdict(programs, arch, number, args),
      );
      facts.set(factName(`filter ${abi}`, name), none === all ? none! : `0: ${none}, -1: ${all}`);
    }
    const numbers = syscallTable(abi);
    for (const [call, values] of Object.entries(FIRST_ARGUMENTS)) {
      const number = numbers.get(call);
      if (number === undefined) continue;
      for (const [what, value] of Object.entries(values))
        if (value <= ALL_ONES[abi])
          facts.set(
            factName(`filter ${abi}`, `${call}(${what})`),
            verdict(programs, arch, number, [value, 1n]),
          );
    }
  }
  for (const [name, arch] of [
    ["arm64", 0xc00000b7],
    ["s390x", 0x80000016],
  ] as const)
    facts.set(factName("filter", `architecture ${name}`), verdict(programs, arch, 0, []));
  return facts;
}
