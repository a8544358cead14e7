/** A container as it was asked for, in the terms of Docker's API (ContainerConfig, HostConfig). */
import { ID_LENGTH } from "../base/ids.ts";
import type { HealthcheckConfig } from "./image-config.ts";
import type { RuntimeDevice } from "./runtime.ts";

/** Where neither the image nor the user says another one. */
export const DEFAULT_STOP_SIGNAL = "SIGTERM";

export interface ContainerConfig {
  hostname: string;
  domainname: string;
  user: string;
  tty: boolean;
  openStdin: boolean;
  stdinOnce: boolean;
  env: string[];
  /** What follows the entrypoint. */
  cmd: string[];
  entrypoint: string[];
  /** As it was typed. */
  image: string;
  labels: Record<string, string>;
  workingDir: string;
  stopSignal: string;
  /** seconds */
  stopTimeout: number;
  /** such as "80/tcp" */
  exposedPorts: string[];
  /** What tells whether the container is well; undefined for nothing. */
  healthcheck?: HealthcheckConfig | undefined;
  /** The image's own, for commands of its health check that are given as text. */
  shell?: string[] | undefined;
}

/** A container's port and where it shall be reachable. */
export interface PortBinding {
  protocol: "tcp" | "udp" | "sctp";
  containerPort: number;
  /** "0.0.0.0" for every address of the host. */
  hostIp: string;
  /** The first free one of these; both 0 for any. */
  hostPortFirst: number;
  hostPortLast: number;
}

/** Where a port of a running container is reachable. */
export interface PublishedPort {
  protocol: "tcp" | "udp" | "sctp";
  containerPort: number;
  hostIp: string;
  hostPort: number;
}

export interface MountPoint {
  type: "bind" | "volume" | "tmpfs";
  /** The volume's name; "" for others. */
  name: string;
  /** The directory on the host; "" for tmpfs. */
  source: string;
  destination: string;
  readOnly: boolean;
  /** Mount options beyond ro and rw. */
  options: string[];
  propagation: string;
}

/** Whether it is a volume that was made for the container and that nobody has named. */
export const isAnonymous = ({ type, name }: MountPoint): boolean =>
  type === "volume" && name.length === ID_LENGTH;

export interface Ulimit {
  name: string;
  soft: number;
  hard: number;
}

/** When a container is started again that has ended. */
export interface RestartPolicy {
  name: "always" | "unless-stopped" | "on-failure";
  /** Of on-failure: how often at most; 0 is for ever. */
  retries: number;
}

export interface HostConfig {
  autoRemove: boolean;
  /** bridge, host, none or container:ID */
  networkMode: string;
  ports: PortBinding[];
  capAdd: string[];
  capDrop: string[];
  privileged: boolean;
  noNewPrivileges: boolean;
  /** "default", "unconfined", or a profile's JSON text */
  seccomp: string;
  /** systempaths=unconfined */
  unmaskedPaths: boolean;
  readonlyRoot: boolean;
  shmSize: number;
  /** bytes; undefined is no limit */
  memory: number | undefined;
  memorySwap: number | undefined;
  memoryReservation: number | undefined;
  /** billionths of a processor */
  nanoCpus: number | undefined;
  cpuShares: number | undefined;
  cpusetCpus: string | undefined;
  cpusetMems: string | undefined;
  pidsLimit: number | undefined;
  /** --cgroup-parent; undefined: bocker's own */
  cgroupParent: string | undefined;
  ulimits: Ulimit[];
  sysctls: Record<string, string>;
  devices: (RuntimeDevice & { access: string })[];
  groupAdd: string[];
  init: boolean;
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  extraHosts: string[];
  oomScoreAdj: number;
  logDriver: "json-file" | "none";
  logMaxSize: number;
  logMaxFiles: number;
  /** --restart; undefined: "no" */
  restart?: RestartPolicy | undefined;
  /** --health-on-failure; undefined: "none" */
  healthOnFailure?: "kill" | "restart" | "stop" | undefined;
  /** --storage-opt size=: bytes that the container may write */
  storageSize?: number | undefined;
  /** --undo: how many times the files are kept as they were before an exec */
  undo?: number | undefined;
  /** --rootfs: a directory of the host as the root; undefined with an image */
  rootfs: string | undefined;
}

/** Where a container is on a network. */
export interface NetworkAttachment {
  network: string;
  address: string;
  prefix: number;
  gateway: string;
  mac: string;
  published: PublishedPort[];
}

/** What is kept of a container in the database. */
export interface ContainerRecord {
  id: string;
  name: string;
  /** RFC 3339 with nanoseconds */
  created: string;
  imageId: string;
  /** Chain ids of the layers, the topmost first; empty with `rootfs`. */
  layers: string[];
  config: ContainerConfig;
  host: HostConfig;
  mounts: MountPoint[];
  attachment: NetworkAttachment | undefined;
}

/** What happened to it; derived from its files, never stored. */
export type ContainerState =
  | {
      status: "created";
      /** Why it could not be started, and the code that Docker has for that. */
      failed?: { code: number; error: string };
    }
  | { status: "running"; paused: boolean; pid: number; monitor: number; started: string }
  | {
      status: "exited";
      code: number;
      oomKilled: boolean;
      finished: string;
      /** Why its last start failed, or nobody recorded its end. */
      error?: string;
      /** Somebody waits to start it again. */
      restarting?: boolean;
    };

/** Bytes of /dev/shm where nothing was asked for, as Docker has it. */
export const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;
