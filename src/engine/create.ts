/** `create`: decides everything that is decided once, and records it. */
import { rmSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import { newId, shortId } from "../base/ids.ts";
import { mergeEnvironment } from "../runtime/generate/spec.ts";
import type { ContainerConfig, ContainerRecord, HostConfig, MountPoint } from "../spec/container.ts";
import { containerPaths, type Paths } from "../state/paths.ts";
import { type Engine, timestamp } from "./engine.ts";
import type { ResolvedImage } from "./image.ts";
import { defaultHostname } from "./network.ts";
import { type FileStep, performFileStep } from "./steps.ts";

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
export function containerRecord(id: string, request: CreateRequest): ContainerRecord {
  return {
    id,
    name: request.name,
    created: timestamp(),
    imageId: request.image.id,
    layers: request.image.layers,
    config: configOf(id, request),
    host: request.host,
    mounts: request.mounts,
    attachment: undefined,
  };
}

/**
 * Records a container and makes its directory.
 * @throws BockerError "conflict" for a name in use, "invalid" for impossible settings
 */
export function createContainer(engine: Engine, request: CreateRequest): ContainerRecord {
  const id = newId();
  const record = containerRecord(id, request);
  const containers = engine.containers;
  for (const step of containerDirectories(engine.paths, id)) performFileStep(step);
  try {
    engine.transaction(() => containers.insert(record));
  } catch (error) {
    rmSync(containerPaths(engine.paths, id).directory, { recursive: true, force: true });
    throw error;
  }
  return record;
}
