/**
 * The two shapes of a seccomp policy: Docker's profile, which has conditions on capabilities, architecture
 * and kernel, and OCI's LinuxSeccomp, in which these are resolved (runtime-spec config-linux.md, "Seccomp").
 */

/** The ABIs whose filters bocker compiles, by libseccomp's names. */
export const ARCHITECTURES = [
  "SCMP_ARCH_X86_64",
  "SCMP_ARCH_X86",
  "SCMP_ARCH_X32",
  "SCMP_ARCH_AARCH64",
  "SCMP_ARCH_ARM",
] as const;

export type Operator =
  | "SCMP_CMP_NE"
  | "SCMP_CMP_LT"
  | "SCMP_CMP_LE"
  | "SCMP_CMP_EQ"
  | "SCMP_CMP_GE"
  | "SCMP_CMP_GT"
  | "SCMP_CMP_MASKED_EQ";

export type Action =
  | "SCMP_ACT_KILL"
  | "SCMP_ACT_KILL_THREAD"
  | "SCMP_ACT_KILL_PROCESS"
  | "SCMP_ACT_TRAP"
  | "SCMP_ACT_ERRNO"
  | "SCMP_ACT_TRACE"
  | "SCMP_ACT_LOG"
  | "SCMP_ACT_ALLOW";

/** A condition on one argument. Of MASKED_EQ `value` is the mask and `valueTwo` what must be left. */
export interface ArgumentRule {
  readonly index: number;
  readonly value: number | bigint;
  readonly valueTwo?: number | bigint | undefined;
  readonly op: Operator;
  /**
   * bocker's own: compare the low half only, as the kernel does where the argument is an int. Without it
   * `socket(0x100000026, …)` is "greater than 40" to the filter and AF_ALG (38) to the kernel.
   */
  readonly bits?: 32 | undefined;
}

/** One rule of LinuxSeccomp. All of `args` must hold, except as `conditionsOf` in compile.ts says. */
export interface SyscallRule {
  readonly names: readonly string[];
  readonly action: Action;
  /** Of ERRNO and TRACE; EPERM when absent. */
  readonly errnoRet?: number | undefined;
  readonly args?: readonly ArgumentRule[] | null | undefined;
}

export interface LinuxSeccomp {
  readonly defaultAction: Action;
  readonly defaultErrnoRet?: number | undefined;
  readonly architectures: readonly string[];
  readonly flags?: readonly string[] | undefined;
  readonly syscalls: readonly SyscallRule[];
}

export interface Condition {
  readonly caps?: readonly string[] | null | undefined;
  /** Go's names: amd64, arm64. */
  readonly arches?: readonly string[] | null | undefined;
  /** "4.8": that kernel or a newer one. */
  readonly minKernel?: string | undefined;
}

export interface ProfileRule extends Omit<SyscallRule, "names"> {
  readonly names?: readonly string[] | null | undefined;
  /** The old form, one name. */
  readonly name?: string | undefined;
  readonly comment?: string | undefined;
  readonly includes?: Condition | null | undefined;
  readonly excludes?: Condition | null | undefined;
}

export interface Profile {
  readonly defaultAction: Action;
  readonly defaultErrnoRet?: number | null | undefined;
  readonly architectures?: readonly string[] | null | undefined;
  readonly archMap?:
    | readonly {
        readonly architecture: string;
        readonly subArchitectures?: readonly string[] | null | undefined;
      }[]
    | null
    | undefined;
  readonly flags?: readonly string[] | null | undefined;
  readonly syscalls?: readonly ProfileRule[] | null | undefined;
}
