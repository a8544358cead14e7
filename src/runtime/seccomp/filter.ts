/** From a container's settings to the filter the launcher loads, and the name under which to keep it. */
import { createHash } from "node:crypto";
import { compileSeccomp, type SeccompFilter } from "./compile.ts";
import { DEFAULT_PROFILE_REVISION, defaultProfile } from "./profile-default.ts";
import { kernelAtLeast, resolveProfile, type SeccompEnvironment } from "./resolve.ts";

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
  const digest = createHash("sha256").update(`${capabilities}\n${kernel}\n${profileText}`).digest("hex");
  return `custom-${revision}-${digest}`;
}

/** The filter of a container without a profile of its own. */
export function defaultSeccompFilter(environment: SeccompEnvironment): SeccompFilter {
  return compileSeccomp(resolveProfile(defaultProfile(), environment));
}

/** The filter of `--security-opt seccomp=FILE`; `profileText` is the file's content. Throws "invalid". */
export async function customSeccompFilter(
  environment: SeccompEnvironment,
  profileText: string,
): Promise<SeccompFilter> {
  const { parseProfile } = await import("./parse.ts");
  return compileSeccomp(resolveProfile(parseProfile(profileText), environment));
}
