/**
 * The profile of containers that ask for none: moby/profiles' default.json (2026-06), as it is, with two changes.
 *
 * 1. socketcall(SYS_SOCKET) is refused. The 32-bit multiplexer hides the address family behind a pointer that
 *    a filter cannot follow, so allowing it allows AF_ALG (CVE-2026-31431). Docker 29.4.2 refused all of it, then
 *    gave it back and relies on AppArmor (moby#52547); bocker cannot count on an LSM, so it keeps the door shut
 *    and leaves the other calls of the multiplexer open. 32-bit glibc makes its sockets this way: such an image needs
 *    `--security-opt seccomp=` with a profile that allows socketcall.
 * 2. The address family of socket(2) is compared as the int it is: see `ArgumentRule.bits`.
 */

import type { Profile, ProfileRule } from "./profile.ts";
import moby from "./profile-default.json" with { type: "json" };

/** First argument of socketcall for socket(2): include/uapi/linux/net.h. */
const SYS_SOCKET = 1;

let built: Profile | undefined;

export function defaultProfile(): Profile {
  if (built === undefined) {
    const profile = moby as unknown as Profile;
    built = { ...profile, syscalls: hardened(profile.syscalls ?? []) };
  }
  return built;
}

function hardened(rules: readonly ProfileRule[]): ProfileRule[] {
  const result = rules.map((rule): ProfileRule => {
    const names = rule.names ?? [];
    if (names.length === 1 && names[0] === "socket" && rule.args) {
      return { ...rule, args: rule.args.map((argument) => ({ ...argument, bits: 32 })) };
    }
    return names.includes("socketcall")
      ? { ...rule, names: names.filter((name) => name !== "socketcall") }
      : rule;
  });
  result.push({
    names: ["socketcall"],
    action: "SCMP_ACT_ALLOW",
    args: [{ index: 0, value: SYS_SOCKET, op: "SCMP_CMP_NE", bits: 32 }],
  });
  return result;
}
