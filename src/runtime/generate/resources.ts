/** Limits in Docker's terms to those of the runtime specification (moby daemon_unix.go). */
import { BockerError } from "../../base/errors.ts";
import type { HostConfig } from "../../spec/container.ts";
import type { DeviceRule, RuntimeResources } from "../../spec/runtime.ts";
import { DEFAULT_DEVICE_RULES } from "./defaults.ts";

const PERIOD = 100000;
/** moby: "Minimum memory limit allowed is 6MB" */
const MINIMUM_MEMORY = 6 * 1024 * 1024;

function memoryOf(host: HostConfig): RuntimeResources["memory"] {
  const { memory, memorySwap, memoryReservation } = host;
  if (memory !== undefined && memory < MINIMUM_MEMORY)
    throw new BockerError("invalid", "Minimum memory limit allowed is 6MB");
  if (memorySwap !== undefined && memorySwap > 0 && memory === undefined)
    throw new BockerError(
      "invalid",
      "You should always set the Memory limit when using Memoryswap limit, see usage",
    );
  if (memory !== undefined && memorySwap !== undefined && memorySwap > 0 && memorySwap < memory)
    throw new BockerError(
      "invalid",
      "Minimum memoryswap limit should be larger than memory limit, see usage",
    );
  if (memoryReservation !== undefined && memoryReservation < MINIMUM_MEMORY)
    throw new BockerError("invalid", "Minimum memory reservation allowed is 6MB");
  if (memory !== undefined && memoryReservation !== undefined && memory < memoryReservation)
    throw new BockerError(
      "invalid",
      "Minimum memory limit can not be less than memory reservation limit, see usage",
    );
  if (memory === undefined && memoryReservation === undefined) return undefined;
  // Without a word on swap, Docker allows as much of it as of memory.
  const swap = memorySwap ?? (memory === undefined ? undefined : memory * 2);
  return {
    ...(memory === undefined ? {} : { limit: memory }),
    ...(swap === undefined ? {} : { swap }),
    ...(memoryReservation === undefined ? {} : { reservation: memoryReservation }),
  };
}

/** "0-2,7" as numbers. Throws "invalid" for what is not such a list. */
function parseCpuList(text: string): number[] {
  const numbers: number[] = [];
  for (const part of text.split(",")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim());
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || last < first || last > 8191)
      throw new BockerError("invalid", `Invalid value ${text} for cpuset cpus`);
    for (let cpu = first; cpu <= last; cpu++) numbers.push(cpu);
  }
  return numbers;
}

function cpuOf(host: HostConfig, processors: () => number): RuntimeResources["cpu"] {
  const { nanoCpus, cpuShares, cpusetCpus, cpusetMems } = host;
  if (nanoCpus !== undefined && (nanoCpus < 1e7 || nanoCpus > processors() * 1e9))
    throw new BockerError(
      "invalid",
      `range of CPUs is from 0.01 to ${processors().toFixed(2)}, as there are only ${processors()} CPUs available`,
    );
  if (cpuShares !== undefined && cpuShares < 0) throw new BockerError("invalid", "shares: invalid argument");
  if (cpusetCpus !== undefined) {
    const missing = parseCpuList(cpusetCpus).some((cpu) => cpu >= processors());
    if (missing)
      throw new BockerError(
        "invalid",
        `Requested CPUs are not available - requested ${cpusetCpus}, available: 0-${processors() - 1}`,
      );
  }
  if (
    nanoCpus === undefined &&
    cpuShares === undefined &&
    cpusetCpus === undefined &&
    cpusetMems === undefined
  )
    return undefined;
  return {
    ...(cpuShares === undefined ? {} : { shares: Math.max(2, cpuShares) }),
    ...(nanoCpus === undefined ? {} : { period: PERIOD, quota: Math.round((nanoCpus / 1e9) * PERIOD) }),
    ...(cpusetCpus === undefined ? {} : { cpus: cpusetCpus }),
    ...(cpusetMems === undefined ? {} : { mems: cpusetMems }),
  };
}

function deviceRules(host: HostConfig): DeviceRule[] {
  if (host.privileged) return [{ allow: true, type: "a", major: -1, minor: -1, access: "rwm" }];
  const extra = host.devices.map(
    ({ type, major, minor, access }): DeviceRule => ({
      allow: true,
      type: type === "b" ? "b" : "c",
      major,
      minor,
      access,
    }),
  );
  return [...DEFAULT_DEVICE_RULES, ...extra];
}

/** @param processors how many this machine has */
export function resourcesOf(host: HostConfig, processors: () => number): RuntimeResources {
  const memory = memoryOf(host);
  const cpu = cpuOf(host, processors);
  const { pidsLimit } = host;
  return {
    devices: deviceRules(host),
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(pidsLimit === undefined || pidsLimit <= 0 ? {} : { pids: { limit: pidsLimit } }),
  };
}
