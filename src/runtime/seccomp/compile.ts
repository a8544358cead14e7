/**
 * LinuxSeccomp to classic BPF.
 *
 * Shape of the program: the architecture, then for each ABI a balanced tree of `nr >= k` over ranges of
 * system calls that share a verdict, then the argument checks of the few that have them. The kernel
 * evaluates the tree once for every number when it loads the filter and remembers the plain "allow"s.
 *
 * As libseccomp and runc do:
 * - an architecture that is not listed is killed (the process here; libseccomp kills the thread);
 * - a number greater than the greatest the policy names for that ABI gets ENOSYS instead of the default
 *   errno, so that a new libc falls back to older calls (runc patchbpf);
 * - names an ABI does not have are skipped;
 * - a rule that names one argument twice is several alternative rules (runc seccomp_linux.go, matchCall).
 * Unlike libseccomp, a rule for socket(2) says nothing about the 32-bit multiplexer socketcall(2).
 */
import { BockerError } from "../../base/errors.ts";
import { argumentCheck } from "./arguments.ts";
import {
  BackwardAssembler,
  BPF_JMP_JEQ_K,
  BPF_JMP_JGE_K,
  BPF_LD_W_ABS,
  type Label,
  MAX_INSTRUCTIONS,
} from "./assemble.ts";
import type { Action, ArgumentRule, LinuxSeccomp, SyscallRule } from "./profile.ts";
import { type SyscallTable, syscallTable } from "./syscalls.ts";

/** include/uapi/linux/audit.h. */
export const AUDIT_ARCH_X86_64 = 0xc000003e;
export const AUDIT_ARCH_I386 = 0x40000003;
export const AUDIT_ARCH_AARCH64 = 0xc00000b7;
export const AUDIT_ARCH_ARM = 0x40000028;
/** __X32_SYSCALL_BIT. */
export const X32_BIT = 0x40000000;

/** offsetof(struct seccomp_data, …). */
const DATA_NR = 0;
const DATA_ARCH = 4;

export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
const SECCOMP_RET_KILL_THREAD = 0;
const SECCOMP_RET_TRAP = 0x00030000;
export const SECCOMP_RET_ERRNO = 0x00050000;
const SECCOMP_RET_TRACE = 0x7ff00000;
const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;
const EPERM = 1;
const ENOSYS = 38;

const SECCOMP_FILTER_FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

/** What the launcher loads with seccomp(SECCOMP_SET_MODE_FILTER, flags, program). */
export interface SeccompFilter {
  /** struct sock_filter[], 8 bytes each. */
  readonly program: Uint8Array;
  readonly flags: number;
}

interface Alternative {
  readonly conditions: readonly ArgumentRule[];
  readonly verdict: number;
}

/** A plain verdict, or alternatives tried in order with the default last. */
type Decision = number | readonly Alternative[];

/** Consecutive numbers from `start` to the next range's start. */
interface Range {
  readonly start: number;
  readonly decision: Decision;
}

/** The return value of the filter for an action. */
function verdictOf(action: Action, errno: number | undefined): number {
  switch (action) {
    case "SCMP_ACT_KILL":
    case "SCMP_ACT_KILL_THREAD":
      return SECCOMP_RET_KILL_THREAD;
    case "SCMP_ACT_KILL_PROCESS":
      return SECCOMP_RET_KILL_PROCESS;
    case "SCMP_ACT_TRAP":
      return SECCOMP_RET_TRAP;
    case "SCMP_ACT_ERRNO":
      return SECCOMP_RET_ERRNO | (errno ?? EPERM);
    case "SCMP_ACT_TRACE":
      return SECCOMP_RET_TRACE | (errno ?? EPERM);
    case "SCMP_ACT_LOG":
      return SECCOMP_RET_LOG;
    case "SCMP_ACT_ALLOW":
      return SECCOMP_RET_ALLOW;
  }
}

/** Throws "unsupported" for an architecture or flag bocker does not know, "invalid" for a program that is too long. */
export function compileSeccomp(seccomp: LinuxSeccomp): SeccompFilter {
  const assembler = new BackwardAssembler();
  const has = new Set(seccomp.architectures);
  // Archs of other machines in a profile's list are harmless: their filter would never run here.
  let entry = assembler.ret(SECCOMP_RET_KILL_PROCESS);
  const add = (audit: number, ranges: readonly Range[]) => {
    const loadNumber = assembler.before(BPF_LD_W_ABS, DATA_NR, tree(assembler, ranges, seccomp));
    entry = assembler.jump(BPF_JMP_JEQ_K, audit, loadNumber, entry);
  };
  if (has.has("SCMP_ARCH_ARM")) add(AUDIT_ARCH_ARM, ranges(seccomp, syscallTable("arm"), 0));
  if (has.has("SCMP_ARCH_X86")) add(AUDIT_ARCH_I386, ranges(seccomp, syscallTable("i386"), 0));
  if (has.has("SCMP_ARCH_AARCH64")) add(AUDIT_ARCH_AARCH64, ranges(seccomp, syscallTable("arm64"), 0));
  if (has.has("SCMP_ARCH_X86_64") || has.has("SCMP_ARCH_X32")) {
    // One audit architecture for two ABIs, told apart by a bit of the number.
    const low = has.has("SCMP_ARCH_X86_64")
      ? ranges(seccomp, syscallTable("x86_64"), 0)
      : [{ start: 0, decision: SECCOMP_RET_KILL_PROCESS }];
    const high = has.has("SCMP_ARCH_X32")
      ? ranges(seccomp, syscallTable("x32"), X32_BIT)
      : [{ start: X32_BIT, decision: SECCOMP_RET_KILL_PROCESS }];
    add(AUDIT_ARCH_X86_64, [...low, ...high]);
  }
  assembler.before(BPF_LD_W_ABS, DATA_ARCH, entry);
  if (assembler.length > MAX_INSTRUCTIONS) {
    throw new BockerError("invalid", `the seccomp profile needs ${assembler.length} BPF instructions`);
  }
  return { program: assembler.finish(), flags: filterFlags(seccomp.flags) };
}

function filterFlags(names: readonly string[] | undefined): number {
  // runc: without a list the one flag is SPEC_ALLOW, so that the filter does not slow the CPU down.
  if (names === undefined || names.length === 0)
    return SECCOMP_FILTER_FLAGS.SECCOMP_FILTER_FLAG_SPEC_ALLOW ?? 0;
  let flags = 0;
  for (const name of names) {
    const flag = SECCOMP_FILTER_FLAGS[name];
    if (flag === undefined) throw new BockerError("unsupported", `seccomp flag ${name} is not supported`);
    flags |= flag;
  }
  return flags;
}

/** A rule's arguments as alternatives, each of which must hold as a whole. */
function conditionsOf(rule: SyscallRule): readonly (readonly ArgumentRule[])[] {
  const args = rule.args ?? [];
  const indexes = new Set(args.map(({ index }) => index));
  return indexes.size === args.length ? [args] : args.map((argument) => [argument]);
}

/** The decision for each named call of one ABI. An unconditional rule beats conditional ones; else the first wins. */
function decisions(seccomp: LinuxSeccomp, table: SyscallTable): Map<number, Decision> {
  const found = new Map<number, Decision>();
  for (const rule of seccomp.syscalls) {
    const verdict = verdictOf(rule.action, rule.errnoRet);
    const alternatives = conditionsOf(rule).map((conditions) => ({ conditions, verdict }));
    const plain = rule.args === undefined || rule.args === null || rule.args.length === 0;
    for (const name of rule.names) {
      const number = table.get(name);
      if (number === undefined) continue;
      const before = found.get(number);
      if (typeof before === "number") continue;
      found.set(number, plain ? verdict : [...(before ?? []), ...alternatives]);
    }
  }
  return found;
}

/** The whole number space of an ABI from `first` as ranges of equal decision. */
function ranges(seccomp: LinuxSeccomp, table: SyscallTable, first: number): Range[] {
  const standard = verdictOf(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const known = [...decisions(seccomp, table)].sort(([a], [b]) => a - b);
  const result: Range[] = [];
  let next = first;
  const push = (start: number, decision: Decision) => {
    if (result.at(-1)?.decision !== decision) result.push({ start, decision });
  };
  for (const [number, decision] of known) {
    if (number > next) push(next, standard);
    push(number, decision);
    next = number + 1;
  }
  const refuses = seccomp.defaultAction !== "SCMP_ACT_ALLOW" && seccomp.defaultAction !== "SCMP_ACT_LOG";
  push(next, refuses && known.length > 0 ? SECCOMP_RET_ERRNO | ENOSYS : standard);
  return result;
}

/** A balanced search tree; returns its root. */
function tree(assembler: BackwardAssembler, list: readonly Range[], seccomp: LinuxSeccomp): Label {
  const build = (from: number, to: number): Label => {
    if (to - from === 1) return leaf(assembler, (list[from] as Range).decision, seccomp);
    const middle = (from + to) >> 1;
    const right = build(middle, to);
    const left = build(from, middle);
    return assembler.jump(BPF_JMP_JGE_K, (list[middle] as Range).start, right, left);
  };
  return build(0, list.length);
}

function leaf(assembler: BackwardAssembler, decision: Decision, seccomp: LinuxSeccomp): Label {
  if (typeof decision === "number") return assembler.ret(decision);
  let otherwise = assembler.ret(verdictOf(seccomp.defaultAction, seccomp.defaultErrnoRet));
  for (const { conditions, verdict } of [...decision].reverse()) {
    let next = assembler.ret(verdict);
    for (const condition of [...conditions].reverse()) {
      next = argumentCheck(assembler, condition, next, otherwise);
    }
    otherwise = next;
  }
  return otherwise;
}
