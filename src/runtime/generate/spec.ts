/** A container's record as an OCI runtime specification, with Docker's defaults. */
import { BockerError } from "../../base/errors.ts";
import type { Machine } from "../../os/machine.ts";
import type { ContainerRecord, HostConfig, MountPoint } from "../../spec/container.ts";
import type {
  RuntimeDevice,
  RuntimeMount,
  RuntimeNamespace,
  RuntimeProcess,
  RuntimeSpec,
} from "../../spec/runtime.ts";
import { selectCapabilities } from "./capabilities.ts";
import { DEFAULT_DEVICES, defaultMounts, MASKED_PATHS, READONLY_PATHS } from "./defaults.ts";
import { processEnvironment } from "./environment.ts";
import { resourcesOf } from "./resources.ts";
import { sysctlsOf } from "./sysctls.ts";
import type { ResolvedUser } from "./user.ts";

/** What the specification needs to know of this machine. */
export interface SpecMachine extends Machine {
  /** Its devices, for a privileged container. */
  devices: RuntimeDevice[];
}

export interface SpecInput {
  record: ContainerRecord;
  machine: SpecMachine;
  /** Below each hierarchy's mount. */
  cgroupsPath: string;
  mountPoint: string;
  /** Paths of the files that the engine makes for /etc. */
  files: { hosts: string; hostname: string; resolv: string };
}

/** Daemonless, so not "whatever the daemon had": what Docker's package sets, as far as it may be raised. */
const OPEN_FILES = 1048576;

/** Permitted and effective only for root, as execve would have it; nothing inheritable, ever. */
export function processCapabilities(bounding: string[], uid: number): RuntimeProcess["capabilities"] {
  const held = uid === 0 ? bounding : [];
  return { bounding, effective: held, permitted: held, inheritable: [], ambient: [] };
}

/** Until the image's own files say who the user is. */
const ROOT: ResolvedUser = { uid: 0, gid: 0, groups: [0], home: "/root" };

/** The container's program, run by `user`. */
export function processOf(
  { record, machine }: Pick<SpecInput, "record" | "machine">,
  user: ResolvedUser,
): RuntimeProcess {
  const { config, host } = record;
  const bounding = selectCapabilities(
    { add: host.capAdd, drop: host.capDrop, privileged: host.privileged },
    machine.capabilities,
  );
  const hasNofile = host.ulimits.some(({ name }) => name === "nofile");
  const nofile = Math.min(OPEN_FILES, machine.openFiles);
  return {
    terminal: config.tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups, umask: 0o022 },
    args: [...config.entrypoint, ...config.cmd],
    env: processEnvironment(config.env, { hostname: config.hostname, home: user.home, tty: config.tty }),
    cwd: config.workingDir === "" ? "/" : config.workingDir,
    capabilities: processCapabilities(bounding, user.uid),
    rlimits: [
      ...(hasNofile ? [] : [{ type: "RLIMIT_NOFILE", soft: nofile, hard: nofile }]),
      ...host.ulimits.map(({ name, soft, hard }) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft, hard })),
    ],
    noNewPrivileges: host.noNewPrivileges,
    oomScoreAdj: host.oomScoreAdj,
  };
}

function userMount(mount: MountPoint, readonlyRoot: boolean): RuntimeMount {
  if (mount.type === "tmpfs")
    return {
      destination: mount.destination,
      type: "tmpfs",
      source: "tmpfs",
      options: [
        "noexec",
        "nosuid",
        "nodev",
        ...mount.options,
        ...(mount.readOnly && !readonlyRoot ? ["ro"] : []),
      ],
    };
  return {
    destination: mount.destination,
    type: "bind",
    source: mount.source,
    options: [
      "rbind",
      mount.propagation === "" ? "rprivate" : mount.propagation,
      ...(mount.readOnly ? ["ro"] : []),
    ],
  };
}

function etcMounts({ files, record }: Pick<SpecInput, "record" | "files">): RuntimeMount[] {
  const options = ["bind", "rprivate", ...(record.host.readonlyRoot ? ["ro"] : [])];
  return (
    [
      ["/etc/resolv.conf", files.resolv],
      ["/etc/hostname", files.hostname],
      ["/etc/hosts", files.hosts],
    ] as const
  ).map(([destination, source]) => ({ destination, type: "bind", source, options }));
}

/** Volumes and other mounts that were asked for, deeper ones later, and the three files of /etc. */
export function fileMounts(input: Pick<SpecInput, "record" | "files">): RuntimeMount[] {
  const { mounts, host } = input.record;
  const own = mounts.map((mount) => userMount(mount, host.readonlyRoot));
  const depth = ({ destination }: RuntimeMount) => destination.split("/").length;
  const etc = etcMounts(input).filter((mount) =>
    own.every((other) => other.destination !== mount.destination),
  );
  return [...own.sort((a, b) => depth(a) - depth(b)), ...etc];
}

/** A user's mount at the same place takes the engine's own away. */
function mountsOf(input: SpecInput): RuntimeMount[] {
  const { mounts, host } = input.record;
  const { privileged } = host;
  const taken = new Set(mounts.map(({ destination }) => destination));
  for (const destination of taken)
    if (destination === "/" || destination === "/proc")
      throw new BockerError("invalid", `invalid mount: destination can't be '${destination}'`);
  const engine = defaultMounts(host.shmSize)
    .filter(({ destination }) => !taken.has(destination))
    .map((mount) =>
      privileged && (mount.type === "sysfs" || mount.type === "cgroup")
        ? { ...mount, options: mount.options.filter((option) => option !== "ro") }
        : mount,
    );
  return [...engine, ...fileMounts(input)];
}

/** One node for each path: what was asked for wins over the machine's, that over the defaults. */
function devicesOf(host: HostConfig, machine: SpecMachine): RuntimeDevice[] {
  const asked = host.devices.map(({ access: _, ...device }) => device);
  // /dev/ptmx is a link into the container's own devpts, never the machine's node (runc createDevices).
  const nodes = [...DEFAULT_DEVICES, ...machine.devices, ...asked].filter(({ path }) => path !== "/dev/ptmx");
  return [...new Map(nodes.map((device) => [device.path, device])).values()];
}

function namespacesOf(networkMode: string): RuntimeNamespace[] {
  const namespaces: RuntimeNamespace[] = [
    { type: "mount" },
    { type: "uts" },
    { type: "ipc" },
    { type: "pid" },
  ];
  if (networkMode.startsWith("container:")) namespaces.push({ type: "network", path: networkMode });
  else if (networkMode !== "host") namespaces.push({ type: "network" });
  return namespaces;
}

/**
 * The specification, with a process that is root's: `processOf` with the image's own user takes its place.
 * @throws BockerError "invalid" for values that Docker refuses
 */
export function generateSpec(input: SpecInput): RuntimeSpec {
  const { record, machine } = input;
  const { host, config } = record;
  const unmasked = host.privileged || host.unmaskedPaths;
  return {
    ociVersion: "1.2.0",
    root: { path: input.mountPoint, readonly: host.readonlyRoot },
    hostname: config.hostname,
    ...(config.domainname === "" ? {} : { domainname: config.domainname }),
    process: processOf(input, ROOT),
    mounts: mountsOf(input),
    linux: {
      namespaces: namespacesOf(host.networkMode),
      devices: devicesOf(host, machine),
      maskedPaths: unmasked ? [] : [...MASKED_PATHS, ...machine.thermalPaths],
      readonlyPaths: unmasked ? [] : [...READONLY_PATHS],
      sysctl: sysctlsOf(host.sysctls, host.networkMode, machine.exists),
      resources: resourcesOf(host, machine.processors),
      cgroupsPath: input.cgroupsPath,
      rootfsPropagation: "rprivate",
    },
  };
}
