/** A container as Docker's API describes it (ContainerInspectResponse, API 1.51). */
import type { ContainerRecord, ContainerState, MountPoint, PublishedPort } from "../spec/container.ts";
import { readHealth } from "../state/health.ts";
import { containerPaths } from "../state/paths.ts";
import { isRestarting, isUp, readState, startedAt, stateName } from "../state/status.ts";
import type { Engine } from "./engine.ts";
import { pastAttempts } from "./restart-policy.ts";

const NEVER = "0001-01-01T00:00:00Z";

type Json = Record<string, unknown>;

/** As for Docker one that is not checked any more is not well. */
function healthOf(engine: Engine, { id, config }: ContainerRecord, { status }: ContainerState): Json {
  const health = config.healthcheck === undefined ? undefined : readHealth(engine.paths, id);
  if (health === undefined) return {};
  return {
    Health: {
      Status: status === "running" ? health.status : "unhealthy",
      FailingStreak: health.streak,
      Log: health.log.map(({ start, end, code, output }) => ({
        Start: start,
        End: end,
        ExitCode: code,
        Output: output,
      })),
    },
  };
}

function stateOf(engine: Engine, record: ContainerRecord, state: ContainerState): Json {
  const exited = state.status === "exited" ? state : undefined;
  const failed = state.status === "created" ? state.failed : exited;
  return {
    Status: stateName(state),
    Running: isUp(state),
    Paused: stateName(state) === "paused",
    Restarting: isRestarting(state),
    OOMKilled: exited?.oomKilled ?? false,
    Dead: false,
    Pid: state.status === "running" ? state.pid : 0,
    ExitCode: failed?.code ?? 0,
    Error: failed?.error ?? "",
    StartedAt: state.status === "running" ? state.started : (startedAt(engine.paths, record.id) ?? NEVER),
    FinishedAt: exited?.finished ?? NEVER,
    ...healthOf(engine, record, state),
  };
}

function portMap(ports: PublishedPort[], exposed: string[]): Json {
  const map: Json = {};
  for (const port of exposed) map[port] = null;
  for (const { containerPort, protocol, hostIp, hostPort } of ports) {
    const key = `${containerPort}/${protocol}`;
    const bindings = (map[key] as Json[] | null | undefined) ?? [];
    map[key] = [...bindings, { HostIp: hostIp, HostPort: String(hostPort) }];
  }
  return map;
}

/** Addresses belong to the container only while it runs. */
function networkSettings(record: ContainerRecord, running: boolean): Json {
  const attachment = running ? record.attachment : undefined;
  const mode = record.host.networkMode;
  const endpoint = {
    NetworkID: mode,
    EndpointID: "",
    Gateway: attachment?.gateway ?? "",
    IPAddress: attachment?.address ?? "",
    IPPrefixLen: attachment?.prefix ?? 0,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    MacAddress: attachment?.mac ?? "",
    DNSNames: null,
    Aliases: null,
  };
  return {
    Bridge: "",
    SandboxID: "",
    SandboxKey: "",
    Ports: running ? portMap(attachment?.published ?? [], record.config.exposedPorts) : {},
    Gateway: endpoint.Gateway,
    IPAddress: endpoint.IPAddress,
    IPPrefixLen: endpoint.IPPrefixLen,
    MacAddress: endpoint.MacAddress,
    Networks: mode.startsWith("container:") ? {} : { [mode]: endpoint },
  };
}

function mountOf(mount: MountPoint): Json {
  return {
    Type: mount.type,
    ...(mount.type === "volume" ? { Name: mount.name } : {}),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.type === "volume" ? { Driver: "local" } : {}),
    Mode: [...(mount.readOnly ? ["ro"] : []), ...mount.options].join(","),
    RW: !mount.readOnly,
    Propagation: mount.type === "bind" ? mount.propagation || "rprivate" : "",
  };
}

function bindsOf(mounts: MountPoint[]): string[] {
  return mounts
    .filter(({ type }) => type !== "tmpfs")
    .map(({ type, name, source, destination, readOnly }) =>
      [type === "volume" ? name : source, destination, ...(readOnly ? ["ro"] : [])].join(":"),
    );
}

function hostConfigOf(record: ContainerRecord): Json {
  const { host, mounts } = record;
  const ports: Json = {};
  for (const { containerPort, protocol, hostIp, hostPortFirst } of host.ports) {
    const key = `${containerPort}/${protocol}`;
    const bindings = (ports[key] as Json[] | undefined) ?? [];
    const binding = {
      HostIp: hostIp === "0.0.0.0" ? "" : hostIp,
      HostPort: hostPortFirst === 0 ? "" : String(hostPortFirst),
    };
    ports[key] = [...bindings, binding];
  }
  const tmpfs = mounts.filter(({ type }) => type === "tmpfs");
  return {
    Binds: bindsOf(mounts),
    NetworkMode: host.networkMode,
    PortBindings: ports,
    RestartPolicy: { Name: host.restart?.name ?? "no", MaximumRetryCount: host.restart?.retries ?? 0 },
    AutoRemove: host.autoRemove,
    CapAdd: host.capAdd.length > 0 ? host.capAdd : null,
    CapDrop: host.capDrop.length > 0 ? host.capDrop : null,
    Dns: host.dns,
    DnsOptions: host.dnsOptions,
    DnsSearch: host.dnsSearch,
    ExtraHosts: host.extraHosts.length > 0 ? host.extraHosts : null,
    GroupAdd: host.groupAdd.length > 0 ? host.groupAdd : null,
    OomScoreAdj: host.oomScoreAdj,
    Privileged: host.privileged,
    ReadonlyRootfs: host.readonlyRoot,
    SecurityOpt: [
      ...(host.noNewPrivileges ? ["no-new-privileges"] : []),
      ...(host.seccomp === "default" ? [] : [`seccomp=${host.seccomp}`]),
    ],
    Tmpfs: Object.fromEntries(tmpfs.map(({ destination, options }) => [destination, options.join(",")])),
    ShmSize: host.shmSize,
    ...(host.storageSize === undefined ? {} : { StorageOpt: { size: String(host.storageSize) } }),
    Sysctls: host.sysctls,
    Init: host.init,
    CgroupParent: host.cgroupParent ?? "",
    CpuShares: host.cpuShares ?? 0,
    NanoCpus: host.nanoCpus ?? 0,
    CpusetCpus: host.cpusetCpus ?? "",
    CpusetMems: host.cpusetMems ?? "",
    Memory: host.memory ?? 0,
    MemoryReservation: host.memoryReservation ?? 0,
    MemorySwap: host.memorySwap ?? (host.memory ?? 0) * 2,
    PidsLimit: host.pidsLimit ?? null,
    Ulimits: host.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    Devices: host.devices.map(({ path, access }) => ({
      PathOnHost: path,
      PathInContainer: path,
      CgroupPermissions: access,
    })),
    LogConfig: {
      Type: host.logDriver,
      Config:
        host.logMaxSize > 0
          ? { "max-size": String(host.logMaxSize), "max-file": String(host.logMaxFiles) }
          : {},
    },
  };
}

function configOf(record: ContainerRecord): Json {
  const { config, host } = record;
  return {
    Hostname: config.hostname,
    Domainname: config.domainname,
    User: config.user,
    AttachStdin: config.stdinOnce,
    AttachStdout: true,
    AttachStderr: true,
    ...(config.exposedPorts.length > 0
      ? { ExposedPorts: Object.fromEntries(config.exposedPorts.map((port) => [port, {}])) }
      : {}),
    Tty: config.tty,
    OpenStdin: config.openStdin,
    StdinOnce: config.stdinOnce,
    Env: config.env,
    Cmd: config.cmd.length > 0 ? config.cmd : null,
    Image: config.image,
    Volumes: null,
    WorkingDir: config.workingDir,
    Entrypoint: config.entrypoint.length > 0 ? config.entrypoint : null,
    Labels: config.labels,
    StopSignal: config.stopSignal,
    StopTimeout: config.stopTimeout,
    ...(config.healthcheck === undefined ? {} : { Healthcheck: config.healthcheck }),
    ...(host.healthOnFailure === undefined ? {} : { HealthcheckOnFailureAction: host.healthOnFailure }),
    ...(config.shell === undefined ? {} : { Shell: config.shell }),
  };
}

/** The document that `inspect` prints; units and names are Docker's. */
export function inspectContainer(engine: Engine, record: ContainerRecord): Json {
  const state = readState(engine.paths, record.id);
  const files = containerPaths(engine.paths, record.id);
  const [path = "", ...args] = [...record.config.entrypoint, ...record.config.cmd];
  return {
    Id: record.id,
    Created: record.created,
    Path: path,
    Args: args,
    State: stateOf(engine, record, state),
    Image: record.imageId,
    ResolvConfPath: files.resolv,
    HostnamePath: files.hostname,
    HostsPath: files.hosts,
    LogPath: record.host.logDriver === "none" ? "" : files.log,
    Name: `/${record.name}`,
    RestartCount: pastAttempts(engine, record.id).count,
    Driver: engine.driver.name,
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: null,
    HostConfig: hostConfigOf(record),
    GraphDriver: {
      Name: engine.driver.name,
      Data:
        engine.driver.layerForm === "tree"
          ? { RootDir: files.upper }
          : { LowerDir: record.layers.join(":"), UpperDir: files.upper, WorkDir: files.work },
    },
    Mounts: record.mounts.map(mountOf),
    Config: configOf(record),
    NetworkSettings: networkSettings(record, state.status === "running"),
  };
}
