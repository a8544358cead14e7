/** Kernel settings a container may have: only those that its own namespaces hold (CVE-2022-0811). */
import { BockerError } from "../../base/errors.ts";

const IPC = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/**
 * Checks --sysctl and adds the defaults. Keys may be written with dots or slashes.
 * @param exists whether this kernel has a setting
 * @throws BockerError "invalid" for a setting that is not the container's own
 */
export function sysctlsOf(
  asked: Record<string, string>,
  networkMode: string,
  exists: (path: string) => boolean,
): Record<string, string> {
  const ownNetwork = networkMode !== "host" && !networkMode.startsWith("container:");
  const result: Record<string, string> = Object.create(null);
  if (ownNetwork)
    for (const [key, value] of [
      ["net.ipv4.ping_group_range", "0 2147483647"],
      ["net.ipv4.ip_unprivileged_port_start", "0"],
      // bocker's networks carry no IPv6, so no container may answer or announce by it (CVE-2020-13401).
      ["net.ipv6.conf.all.disable_ipv6", "1"],
      ["net.ipv6.conf.default.disable_ipv6", "1"],
      // But ::1 is there, as in docker: /etc/hosts calls it localhost, and programs bind to that.
      ["net.ipv6.conf.lo.disable_ipv6", "0"],
    ] as const)
      if (exists(`/proc/sys/${key.replaceAll(".", "/")}`)) result[key] = value;
  for (const [name, value] of Object.entries(asked)) {
    const key = name.replaceAll("/", ".");
    const allowed = IPC.has(key) || key.startsWith("fs.mqueue.") || (key.startsWith("net.") && ownNetwork);
    if (!/^[a-zA-Z0-9_.-]+$/.test(key) || key.includes("..") || !allowed)
      throw new BockerError(
        "invalid",
        key.startsWith("net.") && !ownNetwork
          ? `sysctl '${name}=${value}' cannot be set when the container uses the ${networkMode} network`
          : `sysctl '${name}=${value}' is not allowed: only settings of the container's own namespaces are`,
      );
    if (/[\n\0]/.test(value))
      throw new BockerError("invalid", `sysctl '${name}' has a value with a line break`);
    result[key] = value;
  }
  return result;
}
