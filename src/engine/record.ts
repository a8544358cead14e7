/** What is to be recorded of a container: what was asked for, with its image's defaults and Docker's. */
import { BockerError } from "../base/errors.ts";
import { NAME_PATTERN, newId, shortId } from "../base/ids.ts";
import { hostName } from "../os/machine.ts";
import { mergeEnvironment } from "../runtime/generate/environment.ts";
import {
  type ContainerConfig,
  type ContainerRecord,
  DEFAULT_STOP_SIGNAL,
  type HostConfig,
  type MountPoint,
  type PortBinding,
} from "../spec/container.ts";
import type { HealthcheckConfig } from "../spec/image-config.ts";
import type { Paths } from "../state/paths.ts";
import { type Engine, timestamp } from "./engine.ts";
import type { ResolvedImage } from "./image.ts";
import { placedVolumes, protectSnapshots } from "./volumes.ts";

/** What was asked for; what is left out comes from the image, then from Docker's defaults. */
export interface CreateRequest {
  name: string;
  image: ResolvedImage;
  /** undefined: the image's; "" as the only word resets it */
  entrypoint: string[] | undefined;
  command: string[];
  env: string[];
  labels: Record<string, string>;
  user: string | undefined;
  workingDir: string | undefined;
  hostname: string | undefined;
  domainname: string;
  tty: boolean;
  openStdin: boolean;
  stdinOnce: boolean;
  stopSignal: string | undefined;
  stopTimeout: number | undefined;
  exposedPorts: string[];
  /** What it says goes before what the image says. */
  healthcheck?: HealthcheckConfig | undefined;
  /** Publish every exposed port on a random one. */
  publishAll: boolean;
  host: HostConfig;
  mounts: MountPoint[];
}

const DEFAULT_STOP_TIMEOUT = 10;

function configOf(id: string, request: CreateRequest): ContainerConfig {
  const image = request.image.config;
  // An entrypoint of one's own takes the image's command with it.
  const entrypoint = request.entrypoint ?? image.Entrypoint ?? [];
  const cmd =
    request.command.length > 0 ? request.command : request.entrypoint === undefined ? (image.Cmd ?? []) : [];
  if (entrypoint.length === 0 && cmd.length === 0) throw new BockerError("invalid", "no command specified");
  const { workingDir } = request;
  if (workingDir !== undefined && workingDir !== "" && !workingDir.startsWith("/"))
    throw new BockerError(
      "invalid",
      `the working directory '${workingDir}' is invalid, it needs to be an absolute path`,
    );
  const networkMode = request.host.networkMode;
  if (request.hostname !== undefined && networkMode.startsWith("container:"))
    throw new BockerError("invalid", "conflicting options: hostname and the network mode");
  return {
    hostname: request.hostname ?? (networkMode === "host" ? hostName() : shortId(id)),
    domainname: request.domainname,
    user: request.user ?? image.User ?? "",
    tty: request.tty,
    openStdin: request.openStdin,
    stdinOnce: request.stdinOnce,
    env: mergeEnvironment(image.Env ?? [], request.env),
    cmd,
    entrypoint: entrypoint.filter((word, index) => index > 0 || word !== ""),
    image: request.image.reference,
    labels: { ...image.Labels, ...request.labels },
    workingDir: request.workingDir ?? image.WorkingDir ?? "",
    stopSignal: request.stopSignal ?? image.StopSignal ?? DEFAULT_STOP_SIGNAL,
    stopTimeout: request.stopTimeout ?? DEFAULT_STOP_TIMEOUT,
    exposedPorts: [...new Set([...Object.keys(image.ExposedPorts ?? {}), ...request.exposedPorts])],
    ...(image.Healthcheck || request.healthcheck
      ? { healthcheck: { ...image.Healthcheck, ...request.healthcheck }, shell: image.Shell ?? undefined }
      : {}),
  };
}

/** --publish-all: every exposed port without a binding gets a random one. */
function boundPorts(request: CreateRequest, config: ContainerConfig): PortBinding[] {
  const ports = [...request.host.ports];
  if (!request.publishAll) return ports;
  for (const exposed of config.exposedPorts) {
    const [port, protocol] = exposed.split("/") as [string, PortBinding["protocol"]];
    const containerPort = Number(port);
    if (ports.some((other) => other.containerPort === containerPort && other.protocol === protocol)) continue;
    ports.push({ protocol, containerPort, hostIp: "0.0.0.0", hostPortFirst: 0, hostPortLast: 0 });
  }
  return ports;
}

/** As in Docker, a container that shares another's network shares its name, too. */
function nameByNetwork(engine: Engine, record: ContainerRecord): void {
  const [mode, owner] = record.host.networkMode.split(/:(.*)/s);
  if (mode !== "container" || owner === undefined) return;
  const { hostname, domainname } = engine.containers.find(owner).config;
  Object.assign(record.config, { hostname, domainname });
}

function containerRecord(paths: Paths, id: string, request: CreateRequest): ContainerRecord {
  const config = configOf(id, request);
  const { image } = request;
  return {
    id,
    name: request.name,
    created: timestamp(),
    imageId: image.id,
    layers: image.layers,
    config,
    host: { ...request.host, ports: boundPorts(request, config) },
    mounts: placedVolumes(paths, request.mounts, Object.keys(image.config.Volumes ?? {})),
    attachment: undefined,
  };
}

/** Refused before anything is begun; in Docker's words. An empty name is given one later. */
export function checkName(name: string): void {
  if (name !== "" && !NAME_PATTERN.test(name))
    throw new BockerError(
      "invalid",
      `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
}

/** The record of a container that does not exist yet. Throws "invalid" for settings that contradict each other. */
export function newRecord(engine: Engine, request: CreateRequest): ContainerRecord {
  checkName(request.name);
  const record = containerRecord(engine.paths, newId(), request);
  nameByNetwork(engine, record);
  protectSnapshots(engine, record.mounts);
  return record;
}
