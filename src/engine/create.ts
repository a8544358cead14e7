/** `create`: decides everything that is decided once, and records it. */
import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import { newId, shortId } from "../base/ids.ts";
import { generateSpec, mergeEnvironment } from "../runtime/generate/spec.ts";
import type {
  ContainerConfig,
  ContainerRecord,
  HostConfig,
  MountPoint,
  PortBinding,
} from "../spec/container.ts";
import { lock } from "../state/locks.ts";
import { containerPaths, type Paths } from "../state/paths.ts";
import { type Engine, timestamp } from "./engine.ts";
import type { ResolvedImage } from "./image.ts";
import { defaultHostname } from "./network.ts";
import { type FileStep, performFileStep } from "./steps.ts";
import { makeVolumes, placedVolumes, removeAnonymousVolumes } from "./volumes.ts";

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
    hostname: request.hostname ?? defaultHostname(networkMode) ?? shortId(id),
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
    stopSignal: request.stopSignal ?? image.StopSignal ?? "SIGTERM",
    stopTimeout: request.stopTimeout ?? DEFAULT_STOP_TIMEOUT,
    exposedPorts: [...new Set([...Object.keys(image.ExposedPorts ?? {}), ...request.exposedPorts])],
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

/** Values that the specification refuses are refused here: a container that could never start is not made. */
function checkSettings(engine: Engine, record: ContainerRecord): void {
  generateSpec({
    record,
    user: { uid: 0, gid: 0, groups: [], home: "/" },
    machine: { ...engine.machine, devices: [] },
    cgroupName: "",
    mountPoint: engine.paths.mountPoint,
    files: containerPaths(engine.paths, record.id),
  });
}

/** As in Docker, a container that shares another's network shares its name, too. */
function nameByNetwork(engine: Engine, record: ContainerRecord): void {
  const [mode, owner] = record.host.networkMode.split(/:(.*)/s);
  if (mode !== "container" || owner === undefined) return;
  const { hostname, domainname } = engine.containers.find(owner).config;
  Object.assign(record.config, { hostname, domainname });
}

/** -v makes a missing source; --mount has refused it before. */
function makeBindSources(mounts: MountPoint[]): void {
  for (const { type, source } of mounts)
    if (type === "bind" && !existsSync(source)) {
      mkdirSync(source, { recursive: true });
      // Whatever the caller's umask is.
      chmodSync(source, 0o755);
    }
}

/** The container's own directory. What a crash leaves of it belongs to no record and is swept. */
export function containerDirectories(paths: Paths, id: string): FileStep[] {
  const files = containerPaths(paths, id);
  const make = (path: string, mode: number, why: string): FileStep => ({
    step: "directory",
    group: "storage",
    what: `make ${path}`,
    why,
    path,
    mode,
  });
  return [
    make(files.directory, 0o710, "the container's own directory"),
    make(files.upper, 0o755, "what the container writes goes here; its mode is that of the container's /"),
    make(files.work, 0o710, "overlayfs prepares changes here, on the same filesystem"),
  ];
}

/** What is to be recorded of a container. Throws "invalid" for impossible settings. */
export function containerRecord(paths: Paths, id: string, request: CreateRequest): ContainerRecord {
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

/**
 * Records a container and makes its directory and its volumes.
 * @throws BockerError "conflict" for a name in use, "invalid" for impossible settings
 */
export function createContainer(engine: Engine, request: CreateRequest): ContainerRecord {
  const id = newId();
  const record = containerRecord(engine.paths, id, request);
  nameByNetwork(engine, record);
  checkSettings(engine, record);
  const { image } = request;
  const { containers } = engine;
  makeBindSources(request.mounts);
  engine.database;
  // Until the record is there, the directory looks like one that a crash has left.
  const held = lock(engine.paths.locks, id);
  for (const step of containerDirectories(engine.paths, id)) performFileStep(step);
  try {
    makeVolumes(engine, record, new Set(request.mounts.map(({ name }) => name)));
    engine.transaction(() => {
      // Somebody may have removed it since it was looked up.
      if (image.id.startsWith("sha256:") && engine.images.get(image.id) === undefined)
        throw new BockerError("not-found", `No such image: ${image.reference}`);
      containers.insert(record);
    });
  } catch (error) {
    rmSync(containerPaths(engine.paths, id).directory, { recursive: true, force: true });
    removeAnonymousVolumes(engine, record);
    throw error;
  } finally {
    held?.release();
  }
  return record;
}
