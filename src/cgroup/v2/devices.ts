/**
 * Device rules as a BPF_PROG_TYPE_CGROUP_DEVICE program. The last rule that matches decides, so the
 * rules are tested backwards and the first hit returns; without a hit the answer is no.
 *
 * struct bpf_cgroup_dev_ctx: u32 access_type (access << 16, type), u32 major, u32 minor.
 */
import type { DeviceRule } from "../../spec/runtime.ts";

const BPF_DEVCG_DEV_BLOCK = 1;
const BPF_DEVCG_DEV_CHAR = 2;
const ACCESS: Record<string, number> = { m: 1, r: 2, w: 4 };

/** op, dst | src << 4, off, imm (Documentation/bpf/standardization/instruction-set.rst) */
function instruction(op: number, dst: number, src: number, offset: number, immediate: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(op, 0);
  bytes.writeUInt8(dst | (src << 4), 1);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(immediate, 4);
  return bytes;
}

const LDX_W = 0x61;
const MOV32_REG = 0xbc;
const MOV64_IMM = 0xb7;
const AND32_IMM = 0x54;
const RSH32_IMM = 0x74;
const JNE_IMM = 0x55;
const EXIT = 0x95;

interface Test {
  /** 2: type, 3: access, 4: major, 5: minor */
  register: number;
  value: number;
}

function block(rule: DeviceRule): Uint8Array[] {
  const body: Uint8Array[] = [];
  const tests: Test[] = [];
  if (rule.type !== "a")
    tests.push({ register: 2, value: rule.type === "c" ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK });
  if (rule.major >= 0) tests.push({ register: 4, value: rule.major });
  if (rule.minor >= 0) tests.push({ register: 5, value: rule.minor });
  const mask = [...rule.access].reduce((sum, letter) => sum | (ACCESS[letter] ?? 0), 0);
  const result = [instruction(MOV64_IMM, 0, 0, 0, rule.allow ? 1 : 0), instruction(EXIT, 0, 0, 0, 0)];
  const accessTest = rule.type !== "a" && mask !== 7;
  let after = tests.length + (accessTest ? 3 : 0) + result.length;
  if (accessTest) {
    // Every access asked for must be among the allowed: what is outside the mask must be nothing.
    body.push(instruction(MOV32_REG, 1, 3, 0, 0), instruction(AND32_IMM, 1, 0, 0, ~mask & 7));
    after -= 3;
    body.push(instruction(JNE_IMM, 1, 0, after, 0));
  }
  for (const test of tests) {
    after -= 1;
    body.push(instruction(JNE_IMM, test.register, 0, after, test.value));
  }
  return [...body, ...result];
}

/** The program's bytes. */
export function deviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  const program = [
    instruction(LDX_W, 2, 1, 0, 0),
    instruction(MOV32_REG, 3, 2, 0, 0),
    instruction(AND32_IMM, 2, 0, 0, 0xffff),
    instruction(RSH32_IMM, 3, 0, 0, 16),
    instruction(LDX_W, 4, 1, 4, 0),
    instruction(LDX_W, 5, 1, 8, 0),
  ];
  for (const rule of [...rules].reverse()) {
    program.push(...block(rule));
    // What stands before a rule for everything can never be reached.
    if (rule.type === "a") return Buffer.concat(program);
  }
  program.push(instruction(MOV64_IMM, 0, 0, 0, 0), instruction(EXIT, 0, 0, 0, 0));
  return Buffer.concat(program);
}
