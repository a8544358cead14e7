/** 64-bit argument comparisons out of BPF's 32-bit ones: the high word first, the low word if that ties. */
import { BockerError } from "../../base/errors.ts";
import {
  type BackwardAssembler,
  BPF_ALU_AND_K,
  BPF_JMP_JEQ_K,
  BPF_JMP_JGE_K,
  BPF_JMP_JGT_K,
  BPF_LD_W_ABS,
  type Label,
} from "./assemble.ts";
import type { ArgumentRule } from "./profile.ts";

/** offsetof(struct seccomp_data, args); both words of an argument, little endian. */
const DATA_ARGS = 16;
const WORD = 0xffffffffn;

function halves(value: number | bigint): { high: number; low: number } {
  const exact = BigInt(value);
  if (exact < 0n || exact > 0xffffffffffffffffn) {
    throw new BockerError("invalid", `seccomp argument value ${exact} does not fit in 64 bits`);
  }
  return { high: Number(exact >> 32n), low: Number(exact & WORD) };
}

/** Code that goes to `yes` when the condition holds and to `no` otherwise; returns its entry. */
export function argumentCheck(
  assembler: BackwardAssembler,
  rule: ArgumentRule,
  yes: Label,
  no: Label,
): Label {
  switch (rule.op) {
    case "SCMP_CMP_EQ":
      return equal(assembler, rule, undefined, rule.value, yes, no);
    case "SCMP_CMP_NE":
      return equal(assembler, rule, undefined, rule.value, no, yes);
    case "SCMP_CMP_MASKED_EQ":
      return equal(assembler, rule, rule.value, rule.valueTwo ?? 0, yes, no);
    case "SCMP_CMP_GT":
      return greater(assembler, rule, BPF_JMP_JGT_K, yes, no);
    case "SCMP_CMP_GE":
      return greater(assembler, rule, BPF_JMP_JGE_K, yes, no);
    case "SCMP_CMP_LE":
      return greater(assembler, rule, BPF_JMP_JGT_K, no, yes);
    case "SCMP_CMP_LT":
      return greater(assembler, rule, BPF_JMP_JGE_K, no, yes);
  }
}

function equal(
  assembler: BackwardAssembler,
  rule: ArgumentRule,
  mask: number | bigint | undefined,
  value: number | bigint,
  yes: Label,
  no: Label,
): Label {
  const want = halves(value);
  const and = mask === undefined ? undefined : halves(mask);
  const low = equalWord(assembler, DATA_ARGS + 8 * rule.index, and?.low, want.low, yes, no);
  if (rule.bits === 32) return low;
  return equalWord(assembler, DATA_ARGS + 8 * rule.index + 4, and?.high, want.high, low, no);
}

function equalWord(
  assembler: BackwardAssembler,
  offset: number,
  mask: number | undefined,
  want: number,
  yes: Label,
  no: Label,
): Label {
  if (mask === 0) return want === 0 ? yes : no;
  const test = assembler.jump(BPF_JMP_JEQ_K, want, yes, no);
  const masked = mask === undefined ? test : assembler.before(BPF_ALU_AND_K, mask, test);
  return assembler.before(BPF_LD_W_ABS, offset, masked);
}

/** `lowTest` is JGT or JGE; what differs between > and >= is only the low word. */
function greater(
  assembler: BackwardAssembler,
  rule: ArgumentRule,
  lowTest: number,
  yes: Label,
  no: Label,
): Label {
  const than = halves(rule.value);
  const offset = DATA_ARGS + 8 * rule.index;
  const low = assembler.before(BPF_LD_W_ABS, offset, assembler.jump(lowTest, than.low, yes, no));
  if (rule.bits === 32) return low;
  const tie = assembler.jump(BPF_JMP_JEQ_K, than.high, low, no);
  return assembler.before(BPF_LD_W_ABS, offset + 4, assembler.jump(BPF_JMP_JGT_K, than.high, yes, tie));
}
