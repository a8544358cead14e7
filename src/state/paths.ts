/** Where everything lies. Persistent below `data`, what belongs to this boot below `run`. */

export interface Paths {
  data: string;
  run: string;
  database: string;
  content: string;
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
    database: `${data}/state.db`,
    content: `${data}/content`,
    containers: `${data}/containers`,
    volumes: `${data}/volumes`,
    trash: `${data}/trash`,
    temporary: `${data}/tmp`,
    mountPoint: `${data}/rootfs`,
    locks: `${run}/locks`,
    runContainers: `${run}/containers`,
  };
}

/** Directories that every start needs, made with the state. */
export function ownDirectories(paths: Paths): string[] {
  return [paths.containers, paths.trash, paths.mountPoint, paths.runContainers];
}

/** What a storage driver has to know of a container (storage/driver.ts, ContainerRoot). */
export function containerRoot(paths: Paths, { id, layers }: { id: string; layers: string[] }) {
  const { upper, work } = containerPaths(paths, id);
  return { lowers: layers, upper, work };
}

/** Made before a container's first start; without it the container was only created. */
export const startedMark = ({ containers }: Paths, id: string) => `${containers}/${id}/started`;

/** A container's own files. */
export function containerPaths(paths: Paths, id: string) {
  const directory = `${paths.containers}/${id}`;
  const run = `${paths.runContainers}/${id}`;
  return {
    directory,
    upper: `${directory}/upper`,
    work: `${directory}/work`,
    spec: `${directory}/config.json`,
    log: `${directory}/${id}-json.log`,
    exit: `${directory}/exit.json`,
    started: startedMark(paths, id),
    hosts: `${directory}/hosts`,
    hostname: `${directory}/hostname`,
    resolv: `${directory}/resolv.conf`,
    run,
    state: `${run}/state`,
    /** There while somebody keeps the container's processes from running. */
    frozen: `${run}/frozen`,
    /** There from `pause` to `unpause`. */
    paused: `${run}/paused`,
    attach: `${run}/attach`,
    /** There as long as the container is to be started again when it has ended (engine/restart-policy.ts). */
    restart: `${run}/restart`,
    /** The same of one that is not to be started again any more. */
    restarted: `${run}/restarted`,
    /** Who waits to do so. */
    restarting: `${run}/restarting`,
    /** How it is (health.ts). */
    health: `${run}/health`,
    /** There while its health is checked: the milliseconds from one check to the next, for its monitor. */
    check: `${run}/check`,
  };
}
