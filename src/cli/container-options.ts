/** The flags of `run` and `create` as a request to the engine. */

import { BockerError } from "../base/errors.ts";
import type { CreateRequest } from "../engine/record.ts";
import { AT_FDCWD } from "../os/constants.ts";
import { deviceType, isDevice, type Stat, statat } from "../os/metadata.ts";
import type { HostConfig, MountPoint } from "../spec/container.ts";
import { DEFAULT_SHM_SIZE } from "../spec/container.ts";
import type { RuntimeDevice } from "../spec/runtime.ts";
import type { FlagValues } from "./flags.ts";
import {
  parseCpus,
  parseEnvironment,
  parseLabels,
  parseMap,
  parseSecurityOptions,
  parseSignal,
  parseSize,
  parseStorageSize,
  parseUlimit,
  readEnvironmentFile,
} from "./values.ts";

function sizeOf(values: FlagValues, name: string): number | undefined {
  const text = values.string(name);
  if (text === undefined) return undefined;
  return text === "-1" && name === "memory-swap" ? -1 : parseSize(text);
}

/** --device HOST[:CONTAINER[:rwm]] */
function parseDevice(text: string): RuntimeDevice & { access: string } {
  const [source = "", second, third] = text.split(":");
  const modes = /^[rwm]+$/;
  const access = third ?? (second !== undefined && modes.test(second) ? second : "rwm");
  const path = second === undefined || (third === undefined && modes.test(second)) ? source : second;
  if (!modes.test(access)) throw new BockerError("invalid", `invalid device mode: ${access}`);
  if (!path.startsWith("/")) throw new BockerError("invalid", `${path} is not an absolute path`);
  const refused = (why: string) =>
    new BockerError(
      "invalid",
      `error gathering device information while adding custom device "${source}": ${why}`,
    );
  let stat: Stat;
  try {
    stat = statat(AT_FDCWD, source, 0);
  } catch {
    throw refused("no such file or directory");
  }
  if (!isDevice(stat)) throw refused("not a device node");
  return {
    path,
    type: deviceType(stat),
    major: stat.rdevMajor,
    minor: stat.rdevMinor,
    fileMode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    access,
  };
}

function networkMode(values: FlagValues): string {
  const mode = values.string("network") ?? values.string("net") ?? "bridge";
  if (mode === "default") return "bridge";
  if (["bridge", "host", "none"].includes(mode) || mode.startsWith("container:")) return mode;
  throw new BockerError(
    "unsupported",
    `network ${mode} not found: networks of one's own are not supported yet by bocker (bridge, host, none and container:NAME are)`,
  );
}

function logOptions(values: FlagValues): Pick<HostConfig, "logDriver" | "logMaxSize" | "logMaxFiles"> {
  const driver = values.string("log-driver") ?? "json-file";
  if (driver !== "json-file" && driver !== "none")
    throw new BockerError("unsupported", `the log driver ${driver} is not supported yet by bocker`);
  const options = parseMap(values.list("log-opt"));
  for (const key of Object.keys(options))
    if (key !== "max-size" && key !== "max-file")
      throw new BockerError("unsupported", `unknown log opt '${key}' for ${driver} log driver`);
  const files = options["max-file"] ?? "1";
  if (!/^\d{1,4}$/.test(files) || Number(files) < 1 || Number(files) > 1000)
    throw new BockerError("invalid", `invalid value for max-file: ${options["max-file"]}`);
  return {
    logDriver: driver,
    logMaxSize: options["max-size"] === undefined ? 0 : parseSize(options["max-size"]),
    logMaxFiles: Number(files),
  };
}

async function portsOf(
  values: FlagValues,
): Promise<Pick<CreateRequest, "exposedPorts"> & Pick<HostConfig, "ports">> {
  if (!values.has("publish", "expose")) return { ports: [], exposedPorts: [] };
  const { parseExposed, parsePublish } = await import("../network/ports.ts");
  return {
    ports: values.list("publish").flatMap(parsePublish),
    exposedPorts: values
      .list("expose")
      .flatMap(parseExposed)
      .map(({ protocol, port }) => `${port}/${protocol}`),
  };
}

/** Each is a copy on most filesystems. */
const UNDO_MAX = 100;

function undoOf(values: FlagValues, rootfs: string | undefined): number | undefined {
  const count = values.int("undo");
  if (count === undefined || count === 0) return undefined;
  if (count < 0 || count > UNDO_MAX)
    throw new BockerError("invalid", `Invalid value ${count}, range for undo is [0, ${UNDO_MAX}]`);
  if (values.bool("rm") || rootfs !== undefined)
    throw new BockerError(
      "usage",
      `conflicting options: --undo and ${rootfs === undefined ? "--rm" : "--rootfs"}`,
    );
  return count;
}

/** What `update` can change. */
export function limitsOf(values: FlagValues) {
  return {
    memory: sizeOf(values, "memory") || undefined,
    memorySwap: sizeOf(values, "memory-swap") || undefined,
    memoryReservation: sizeOf(values, "memory-reservation") || undefined,
    nanoCpus: values.has("cpus") ? parseCpus(values.string("cpus") ?? "") || undefined : undefined,
    cpuShares: values.int("cpu-shares") || undefined,
    cpusetCpus: values.string("cpuset-cpus") || undefined,
    cpusetMems: values.string("cpuset-mems") || undefined,
    pidsLimit: values.int("pids-limit"),
  };
}

function hostConfig(values: FlagValues, rootfs: string | undefined, ports: HostConfig["ports"]): HostConfig {
  const oomScoreAdj = values.int("oom-score-adj") ?? 0;
  if (oomScoreAdj < -1000 || oomScoreAdj > 1000)
    throw new BockerError(
      "invalid",
      `Invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`,
    );
  return {
    autoRemove: values.bool("rm"),
    networkMode: networkMode(values),
    ports,
    capAdd: values.list("cap-add"),
    capDrop: values.list("cap-drop"),
    privileged: values.bool("privileged"),
    ...parseSecurityOptions(values.list("security-opt")),
    readonlyRoot: values.bool("read-only"),
    storageSize: parseStorageSize(values.list("storage-opt"), "--storage-opt"),
    undo: undoOf(values, rootfs),
    shmSize: sizeOf(values, "shm-size") ?? DEFAULT_SHM_SIZE,
    ...limitsOf(values),
    cgroupParent: values.string("cgroup-parent") || undefined,
    ulimits: values.list("ulimit").map(parseUlimit),
    sysctls: parseMap(values.list("sysctl")),
    devices: values.list("device").map(parseDevice),
    groupAdd: values.list("group-add"),
    init: values.bool("init"),
    dns: values.list("dns"),
    dnsSearch: values.list("dns-search"),
    dnsOptions: values.list("dns-option"),
    extraHosts: values.list("add-host"),
    oomScoreAdj,
    ...logOptions(values),
    rootfs,
  };
}

async function mountsOf(values: FlagValues): Promise<MountPoint[]> {
  if (!values.has("volume", "mount", "tmpfs")) return [];
  const { parseMount, parseTmpfs, parseVolume, resolvedSource } = await import("./mounts.ts");
  const mounts = [
    ...values.list("volume").map(parseVolume),
    ...values.list("mount").map(parseMount),
    ...values.list("tmpfs").map(parseTmpfs),
  ].map(resolvedSource);
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    if (seen.has(destination)) throw new BockerError("invalid", `Duplicate mount point: ${destination}`);
    seen.add(destination);
  }
  return mounts;
}

/** What the files in /etc will be made of; found wrong now rather than at the start. */
async function checkNames(values: FlagValues): Promise<void> {
  if (!values.has("add-host", "dns", "dns-search", "dns-option")) return;
  const { parseAddHost, resolvFile } = await import("../network/files.ts");
  for (const entry of values.list("add-host")) parseAddHost(entry, "127.0.0.1");
  const overrides = {
    nameservers: values.list("dns"),
    search: values.list("dns-search"),
    options: values.list("dns-option"),
  };
  resolvFile("", overrides, { ownNetwork: true });
}

/** What belongs to the network's owner cannot be given by who shares it (moby runconfig validateNetMode). */
const NOT_SHARED: readonly (readonly [flag: string, what: string])[] = [
  ["dns", "dns and the network mode"],
  ["add-host", "custom host-to-IP mapping and the network mode"],
  ["publish", "port publishing and the container type network mode"],
  ["publish-all", "port publishing and the container type network mode"],
  ["expose", "port exposing and the container type network mode"],
];

function refuseForSharedNetwork(values: FlagValues): void {
  if (!networkMode(values).startsWith("container:")) return;
  for (const [flag, what] of NOT_SHARED)
    if (values.has(flag)) throw new BockerError("invalid", `conflicting options: ${what}`);
}

const HEALTH_FLAGS = "cmd interval timeout retries start-period start-interval on-failure".split(" ");

async function healthSettings(values: FlagValues) {
  if (!values.has("no-healthcheck", ...HEALTH_FLAGS.map((name) => `health-${name}`))) return undefined;
  return (await import("./health-values.ts")).healthOf(values);
}

/** Everything but the image, which may have to be pulled first. Throws "usage", "invalid" or "unsupported". */
export async function createRequest(
  values: FlagValues,
  rootfs: string | undefined,
): Promise<Omit<CreateRequest, "image">> {
  const stopSignal = values.string("stop-signal");
  if (stopSignal !== undefined) parseSignal(stopSignal);
  const entrypoint = values.string("entrypoint");
  const workingDir = values.string("workdir");
  if (workingDir !== undefined && !workingDir.startsWith("/"))
    throw new BockerError(
      "invalid",
      `the working directory '${workingDir}' is invalid, it needs to be an absolute path`,
    );
  refuseForSharedNetwork(values);
  await checkNames(values);
  const { ports, exposedPorts } = await portsOf(values);
  const health = await healthSettings(values);
  return {
    name: values.string("name") ?? "",
    entrypoint: entrypoint === undefined ? undefined : [entrypoint],
    command: values.positional.slice(1),
    env: [...values.list("env-file").flatMap(readEnvironmentFile), ...parseEnvironment(values.list("env"))],
    labels: parseLabels(values),
    user: values.string("user"),
    workingDir,
    hostname: values.string("hostname"),
    domainname: values.string("domainname") ?? "",
    tty: values.bool("tty"),
    openStdin: values.bool("interactive"),
    stdinOnce: values.bool("interactive") && !values.bool("detach"),
    stopSignal,
    stopTimeout: values.int("stop-timeout"),
    exposedPorts,
    healthcheck: health?.healthcheck,
    publishAll: values.bool("publish-all"),
    host: {
      ...hostConfig(values, rootfs, ports),
      ...(values.has("restart") ? await (await import("./restart-value.ts")).restartOf(values) : {}),
      ...health?.host,
    },
    mounts: await mountsOf(values),
  };
}
