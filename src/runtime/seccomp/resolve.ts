/**
 * Docker's profile to OCI's LinuxSeccomp for one container: moby/profiles seccomp_linux.go, setupSeccomp.
 */
import { BockerError } from "../../base/errors.ts";
import { kernelAtLeast } from "../../base/kernel-release.ts";
import type { SeccompEnvironment } from "./environment.ts";
import type { Condition, LinuxSeccomp, Profile, SyscallRule } from "./profile.ts";

const NATIVE = {
  x64: { go: "amd64", scmp: "SCMP_ARCH_X86_64" },
  arm64: { go: "arm64", scmp: "SCMP_ARCH_AARCH64" },
} as const;

/** Throws "invalid" for a profile that contradicts itself, "unsupported" for one without this architecture. */
export function resolveProfile(profile: Profile, environment: SeccompEnvironment): LinuxSeccomp {
  const syscalls: SyscallRule[] = [];
  for (const rule of profile.syscalls ?? []) {
    if (excluded(rule.excludes, environment) || !included(rule.includes, environment)) continue;
    const hasNames = (rule.names?.length ?? 0) > 0;
    if (hasNames && rule.name !== undefined && rule.name !== "") {
      throw new BockerError(
        "invalid",
        "both 'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'",
      );
    }
    const names = hasNames ? (rule.names ?? []) : rule.name === undefined ? [] : [rule.name];
    syscalls.push({ names, action: rule.action, errnoRet: rule.errnoRet, args: rule.args });
  }
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet ?? undefined,
    architectures: architecturesOf(profile, environment),
    flags: profile.flags ?? undefined,
    syscalls,
  };
}

function excluded(condition: Condition | null | undefined, environment: SeccompEnvironment): boolean {
  if (condition === null || condition === undefined) return false;
  if (condition.caps?.some((cap) => environment.capabilities.includes(cap))) return true;
  if (condition.arches?.includes(NATIVE[environment.arch].go)) return true;
  return condition.minKernel !== undefined && kernelAtLeast(environment.kernelRelease, condition.minKernel);
}

function included(condition: Condition | null | undefined, environment: SeccompEnvironment): boolean {
  if (condition === null || condition === undefined) return true;
  const { caps, arches, minKernel } = condition;
  if (caps && !caps.every((cap) => environment.capabilities.includes(cap))) return false;
  if (arches && arches.length > 0 && !arches.includes(NATIVE[environment.arch].go)) return false;
  return minKernel === undefined || kernelAtLeast(environment.kernelRelease, minKernel);
}

function architecturesOf(profile: Profile, environment: SeccompEnvironment): readonly string[] {
  const listed = profile.architectures ?? [];
  const map = profile.archMap ?? [];
  if (listed.length > 0 && map.length > 0) {
    throw new BockerError(
      "invalid",
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  }
  const native = NATIVE[environment.arch].scmp;
  if (map.length > 0) {
    const entry = map.find(({ architecture }) => architecture === native);
    return entry === undefined ? [native] : [native, ...(entry.subArchitectures ?? [])];
  }
  // libseccomp always has the native architecture.
  return listed.includes(native) ? listed : [native, ...listed];
}
