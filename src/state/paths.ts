/** Where everything lies. Persistent below `data`, what belongs to this boot below `run`. */
import { join } from "node:path";

export interface Paths {
  data: string;
  run: string;
  database: string;
  content: string;
  layers: string;
  containers: string;
  volumes: string;
  trash: string;
  temporary: string;
  /** An empty directory that every container's root is attached to, in its own mount namespace. */
  mountPoint: string;
  locks: string;
  runContainers: string;
}

export function pathsOf(data: string, run: string): Paths {
  return {
    data,
    run,
    database: join(data, "state.db"),
    content: join(data, "content"),
    layers: join(data, "overlay"),
    containers: join(data, "containers"),
    volumes: join(data, "volumes"),
    trash: join(data, "trash"),
    temporary: join(data, "tmp"),
    mountPoint: join(data, "rootfs"),
    locks: join(run, "locks"),
    runContainers: join(run, "containers"),
  };
}

/** Directories that every start needs, made with the state. */
export function ownDirectories(paths: Paths): string[] {
  return [paths.layers, paths.containers, paths.mountPoint, paths.runContainers];
}

/** A container's own files. */
export function containerPaths(paths: Paths, id: string) {
  const directory = join(paths.containers, id);
  const run = join(paths.runContainers, id);
  return {
    directory,
    upper: join(directory, "upper"),
    work: join(directory, "work"),
    spec: join(directory, "config.json"),
    log: join(directory, `${id}-json.log`),
    exit: join(directory, "exit.json"),
    /** Made before the first start; without it the container was only created. */
    started: join(directory, "started"),
    hosts: join(directory, "hosts"),
    hostname: join(directory, "hostname"),
    resolv: join(directory, "resolv.conf"),
    run,
    state: join(run, "state"),
    attach: join(run, "attach"),
  };
}
