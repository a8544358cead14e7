/** Linux capabilities (capabilities(7), include/uapi/linux/capability.h) and Docker's default set. */
import { BockerError } from "../../base/errors.ts";

/** In the kernel's numbering: the index is the capability's number. */
const CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
] as const;

/** moby daemon/pkg/oci/caps/defaults.go: 14 capabilities, 00000000a80425fb. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

/** The bit mask of capability names. Throws "invalid" for a name the kernel has no number for. */
export function capabilityMask(names: Iterable<string>): bigint {
  let mask = 0n;
  for (const name of names) {
    const number = CAPABILITIES.indexOf(name as (typeof CAPABILITIES)[number]);
    if (number < 0) throw new BockerError("invalid", `invalid capability: ${JSON.stringify(name)}`);
    mask |= 1n << BigInt(number);
  }
  return mask;
}

/** The names in a mask, in the kernel's order. */
export function capabilityNames(mask: bigint): string[] {
  return CAPABILITIES.filter((_, number) => ((mask >> BigInt(number)) & 1n) === 1n);
}

function normalize(name: string): string {
  const upper = name.toUpperCase();
  if (upper === "ALL") return upper;
  const full = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (!(CAPABILITIES as readonly string[]).includes(full))
    throw new BockerError("invalid", `invalid capability: ${JSON.stringify(name)}`);
  return full;
}

/**
 * Docker's rule for --cap-add, --cap-drop and --privileged (moby caps.TweakCapabilities): drop is
 * applied to the defaults, then add; ALL stands for everything the engine itself may give.
 * @param available what the engine's own bounding set holds; never is more given than that.
 */
export function selectCapabilities(
  options: { add: string[]; drop: string[]; privileged: boolean },
  available: bigint,
): string[] {
  const all = capabilityNames(available);
  if (options.privileged) return all;
  const add = options.add.map(normalize);
  const drop = options.drop.map(normalize);
  const chosen = new Set<string>();
  if (add.includes("ALL")) for (const name of all) chosen.add(name);
  else if (!drop.includes("ALL")) for (const name of DEFAULT_CAPABILITIES) chosen.add(name);
  for (const name of drop) chosen.delete(name);
  for (const name of add) if (name !== "ALL") chosen.add(name);
  return all.filter((name) => chosen.has(name));
}
