/**
 * An assembler for classic BPF that works from the end to the start: a jump goes forward only, so its
 * target always exists already. include/uapi/linux/{filter,bpf_common}.h.
 */
export const BPF_LD_W_ABS = 0x20;
export const BPF_ALU_AND_K = 0x54;
export const BPF_JMP_JA = 0x05;
export const BPF_JMP_JEQ_K = 0x15;
export const BPF_JMP_JGT_K = 0x25;
export const BPF_JMP_JGE_K = 0x35;
export const BPF_RET_K = 0x06;

/** struct sock_filter: u16 code, u8 jt, u8 jf, u32 k. */
export const INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS: the kernel takes no longer program. */
export const MAX_INSTRUCTIONS = 4096;
/** A conditional jump's offset is a byte. */
const REACH = 255;

/** An instruction's place, counted from the end of the program. */
export type Label = number;

export class BackwardAssembler {
  private readonly code: number[] = [];
  private readonly jumpTrue: number[] = [];
  private readonly jumpFalse: number[] = [];
  private readonly constant: number[] = [];
  private readonly returns = new Map<number, Label>();

  get length(): number {
    return this.code.length;
  }

  /** A `ret value`, an existing one if the next jump can reach it. */
  ret(value: number): Label {
    const known = this.returns.get(value);
    if (known !== undefined && this.code.length - known < REACH) return known;
    const label = this.emit(BPF_RET_K, 0, 0, value);
    this.returns.set(value, label);
    return label;
  }

  /** An instruction that goes on to `next`. */
  before(code: number, constant: number, next: Label): Label {
    if (this.distance(next) !== 0) this.trampoline(next);
    return this.emit(code, 0, 0, constant);
  }

  /** `if (A op constant) goto whenTrue; else goto whenFalse`. */
  jump(code: number, constant: number, whenTrue: Label, whenFalse: Label): Label {
    let yes = whenTrue;
    let no = whenFalse;
    // Making one reachable may push the other one instruction further away.
    while (this.distance(yes) > REACH || this.distance(no) > REACH) {
      if (this.distance(yes) > REACH) yes = this.trampoline(yes);
      if (this.distance(no) > REACH) no = this.trampoline(no);
    }
    return this.emit(code, this.distance(yes), this.distance(no), constant);
  }

  /** The program in its real order. */
  finish(): Uint8Array {
    const count = this.code.length;
    const bytes = new Uint8Array(count * INSTRUCTION_BYTES);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < count; i++) {
      const at = (count - 1 - i) * INSTRUCTION_BYTES;
      view.setUint16(at, this.code[i] as number, true);
      bytes[at + 2] = this.jumpTrue[i] as number;
      bytes[at + 3] = this.jumpFalse[i] as number;
      view.setUint32(at + 4, this.constant[i] as number, true);
    }
    return bytes;
  }

  /** How many instructions lie between the next one emitted and `label`. */
  private distance(label: Label): number {
    return this.code.length - label - 1;
  }

  /** An instruction right here that leads to `label`. */
  private trampoline(label: Label): Label {
    if (this.code[label] === BPF_RET_K) return this.emit(BPF_RET_K, 0, 0, this.constant[label] as number);
    return this.emit(BPF_JMP_JA, 0, 0, this.distance(label));
  }

  private emit(code: number, jumpTrue: number, jumpFalse: number, constant: number): Label {
    this.code.push(code);
    this.jumpTrue.push(jumpTrue);
    this.jumpFalse.push(jumpFalse);
    this.constant.push(constant >>> 0);
    return this.code.length - 1;
  }
}
