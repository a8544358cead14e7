/** Runs a filter as the kernel would, for tests and for `--explain`. */
import { BockerError } from "../../base/errors.ts";
import {
  BPF_ALU_AND_K,
  BPF_JMP_JA,
  BPF_JMP_JEQ_K,
  BPF_JMP_JGE_K,
  BPF_JMP_JGT_K,
  BPF_LD_W_ABS,
  BPF_RET_K,
  INSTRUCTION_BYTES,
} from "./assemble.ts";

const BPF_JMP_JSET_K = 0x45;

/** struct seccomp_data, the instruction pointer left out (0). */
export interface SeccompCall {
  readonly arch: number;
  readonly number: number;
  /** Up to six; missing ones are 0. */
  readonly args?: readonly bigint[];
}

/** The filter's return value: SECCOMP_RET_… with its data. */
export function simulate(program: Uint8Array, call: SeccompCall): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number >>> 0, true);
  data.setUint32(4, call.arch >>> 0, true);
  call.args?.forEach((value, index) => {
    data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true);
  });
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  let accumulator = 0;
  for (let at = 0; at < program.length; at += INSTRUCTION_BYTES) {
    const code = view.getUint16(at, true);
    const constant = view.getUint32(at + 4, true);
    const skip = (taken: boolean) => view.getUint8(at + (taken ? 2 : 3)) * INSTRUCTION_BYTES;
    if (code === BPF_RET_K) return constant;
    else if (code === BPF_LD_W_ABS) accumulator = data.getUint32(constant, true);
    else if (code === BPF_ALU_AND_K) accumulator = (accumulator & constant) >>> 0;
    else if (code === BPF_JMP_JA) at += constant * INSTRUCTION_BYTES;
    else if (code === BPF_JMP_JEQ_K) at += skip(accumulator === constant);
    else if (code === BPF_JMP_JGT_K) at += skip(accumulator > constant);
    else if (code === BPF_JMP_JGE_K) at += skip(accumulator >= constant);
    else if (code === BPF_JMP_JSET_K) at += skip((accumulator & constant) !== 0);
    else throw new BockerError("internal", `BPF instruction ${code} at ${at / INSTRUCTION_BYTES}`);
  }
  throw new BockerError("internal", "a BPF program without an end");
}
