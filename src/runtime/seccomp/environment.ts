/** What a filter depends on besides its profile, and the name that follows from it. */
import { createSha256 } from "../../base/hash.ts";
import { kernelAtLeast } from "../../base/kernel-release.ts";

/** What a profile's conditions ask about. */
export interface SeccompEnvironment {
  /** Node's names. */
  readonly arch: "x64" | "arm64";
  /** The bounding set, "CAP_SYS_ADMIN" and so on. */
  readonly capabilities: readonly string[];
  /** uname -r: "6.1.0-18-amd64". */
  readonly kernelRelease: string;
}

/** Raised when profile-default.ts or the compiler changes what comes out: part of the cache key. */
const DEFAULT_PROFILE_REVISION = 1;

/** The capabilities that the default profile asks about, in the order of the key's letters. */
const ASKED_CAPABILITIES = [
  "CAP_BPF",
  "CAP_DAC_READ_SEARCH",
  "CAP_PERFMON",
  "CAP_SYSLOG",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_CHROOT",
  "CAP_SYS_MODULE",
  "CAP_SYS_NICE",
  "CAP_SYS_PACCT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
];

/**
 * A file name for the compiled filter. Equal keys mean equal bytes; it costs no compilation.
 * `profileText` is the custom profile's file content, undefined for the default.
 */
export function seccompCacheKey(environment: SeccompEnvironment, profileText?: string): string {
  const revision = `${DEFAULT_PROFILE_REVISION}-${environment.arch}`;
  if (profileText === undefined) {
    const held = ASKED_CAPABILITIES.map((cap) => (environment.capabilities.includes(cap) ? "1" : "0")).join(
      "",
    );
    const ptrace = kernelAtLeast(environment.kernelRelease, "4.8") ? "1" : "0";
    return `default-${revision}-${held}${ptrace}`;
  }
  const capabilities = [...environment.capabilities].sort().join(",");
  const kernel = /^\d+\.\d+/.exec(environment.kernelRelease)?.[0] ?? "";
  const digest = createSha256().update(`${capabilities}\n${kernel}\n${profileText}`).digest("hex");
  return `custom-${revision}-${digest}`;
}
