/** What a system call filter does, found by running it for every system call this program knows. */
import { simulate } from "../seccomp/simulate.ts";
import { syscallTable } from "../seccomp/syscalls.ts";

/** include/uapi/linux/audit.h */
const ARCHITECTURES = { x86_64: 0xc000003e, arm64: 0xc00000b7 } as const;
/** include/uapi/linux/seccomp.h */
const RET_ALLOW = 0x7fff0000;
const RET_ERRNO = 0x00050000;
const RET_ACTION = 0xffff0000;
const ENOSYS = 38;

export interface SeccompSummary {
  allowed: string[];
  /** Refused with an error other than "no such system call". */
  refused: string[];
  /** Answered with ENOSYS, as by a kernel that does not have it. */
  unknown: string[];
}

/** Judges each call with arguments of 0: some, such as clone and socket, depend on theirs. */
export function summarizeSeccomp(program: Uint8Array): SeccompSummary {
  const abi = process.arch === "arm64" ? "arm64" : "x86_64";
  const summary: SeccompSummary = { allowed: [], refused: [], unknown: [] };
  for (const [name, number] of syscallTable(abi)) {
    const result = simulate(program, { arch: ARCHITECTURES[abi], number });
    const errno = result & 0xffff;
    if (result === RET_ALLOW) summary.allowed.push(name);
    else if ((result & RET_ACTION) === RET_ERRNO && errno === ENOSYS) summary.unknown.push(name);
    else summary.refused.push(name);
  }
  for (const list of Object.values(summary)) list.sort();
  return summary;
}
