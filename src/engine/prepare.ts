/** From a container's record to the plan of its start: the place where the rooms meet. */
import { statSync } from "node:fs";
import { planCgroup } from "../cgroup/plan.ts";
import { hostDevices } from "../os/machine.ts";
import { generateSpec } from "../runtime/generate/spec.ts";
import { resolveUser } from "../runtime/generate/user.ts";
import { cgroupOperations } from "../runtime/plan/cgroup.ts";
import { type Contribution, compileContainer } from "../runtime/plan/compile.ts";
import type { Plan } from "../runtime/plan/operation.ts";
import { rootOperations } from "../runtime/plan/root.ts";
import type { ContainerRecord } from "../spec/container.ts";
import type { RuntimeSpec } from "../spec/runtime.ts";
import { containerPaths } from "../state/paths.ts";
import type { Engine } from "./engine.ts";
import { etcFiles } from "./etc-files.ts";
import { type NetworkPlan, networkOwner } from "./network.ts";
import { readRootFile } from "./root-files.ts";
import { seccompProgram } from "./seccomp.ts";
import { type FileStep, performFileStep } from "./steps.ts";

export interface StartOptions {
  /** Nothing of the container outlives its end: it need not reach the disk. */
  disposable: boolean;
  terminal: { rows: number; columns: number } | undefined;
  timings: boolean;
  detachKeys: Uint8Array;
  /** Told when a phase of the start has ended. */
  mark?: ((phase: string) => void) | undefined;
}

export interface Prepared {
  plan: Plan;
  spec: RuntimeSpec;
  /** Written before the launcher starts. */
  files: FileStep[];
}

/** The cgroup's name, the same in every hierarchy, directly below each mount point. */
export function cgroupName(id: string): string {
  return `bocker-${id}`;
}

function isFile(path: string): boolean {
  try {
    return !statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function storageOf(engine: Engine, record: ContainerRecord, disposable: boolean): Contribution {
  const files = containerPaths(engine.paths, record.id);
  const mount =
    record.host.rootfs !== undefined
      ? ({ kind: "bind", source: record.host.rootfs } as const)
      : engine.driver.rootMount({ lowers: record.layers, upper: files.upper, work: files.work, disposable });
  return { host: [], hostAfter: [], container: rootOperations(mount, engine.paths.mountPoint), cleanup: [] };
}

/** Layers for reading single files: what the container wrote lies above its image. */
export function rootLayers(engine: Engine, record: ContainerRecord): string[] {
  if (record.host.rootfs !== undefined) return [record.host.rootfs];
  return [containerPaths(engine.paths, record.id).upper, ...record.layers];
}

function configFile(path: string, spec: RuntimeSpec): FileStep {
  return {
    step: "file",
    group: "exec",
    what: `write ${path}`,
    why: "the container as an OCI runtime specification, for whoever wants to know",
    path,
    content: JSON.stringify(spec),
    mode: 0o600,
  };
}

function sharedNetworkOwner(engine: Engine, record: ContainerRecord): ContainerRecord | undefined {
  if (!record.host.networkMode.startsWith("container:")) return undefined;
  return networkOwner(engine, record).owner;
}

/** As Docker does: who shares another's network goes by the other's name. */
function withNameOf(owner: ContainerRecord, record: ContainerRecord): ContainerRecord {
  const { hostname, domainname } = owner.config;
  return { ...record, config: { ...record.config, hostname, domainname } };
}

/** Compiles a container's start and writes its /etc files and config.json; changes nothing else. */
export async function prepareStart(
  engine: Engine,
  record: ContainerRecord,
  network: NetworkPlan,
  options: StartOptions,
): Promise<Prepared> {
  const prepared = await compileStart(engine, record, rootLayers(engine, record), network, options);
  for (const step of prepared.files) performFileStep(step);
  return prepared;
}

/**
 * Compiles a container's start; changes nothing.
 * @param layers where single files of the root are read from, the topmost first
 */
export async function compileStart(
  engine: Engine,
  record: ContainerRecord,
  layers: string[],
  network: NetworkPlan,
  options: StartOptions,
): Promise<Prepared> {
  const files = containerPaths(engine.paths, record.id);
  const user = resolveUser(
    record.config.user,
    readRootFile(layers, "/etc/passwd"),
    readRootFile(layers, "/etc/group"),
    record.host.groupAdd,
  );
  const owner = sharedNetworkOwner(engine, record);
  const spec = generateSpec({
    record: owner === undefined ? record : withNameOf(owner, record),
    user,
    machine: record.host.privileged
      ? { ...engine.machine, devices: hostDevices() }
      : { ...engine.machine, devices: [] },
    cgroupName: cgroupName(record.id),
    mountPoint: engine.paths.mountPoint,
    files: owner === undefined ? files : containerPaths(engine.paths, owner.id),
  });
  // With another's network come the other's name and nameservers: the same files.
  const etc = owner === undefined ? etcFiles(engine.paths, record) : [];
  const config = configFile(files.spec, spec);
  const own = new Set(etc.map(({ path }) => path));
  const cgroup = planCgroup(cgroupName(record.id), spec.linux.resources);
  if (cgroup.cloneInto !== undefined) spec.linux.namespaces.push({ type: "cgroup" });
  const operations = compileContainer({
    spec,
    storage: storageOf(engine, record, options.disposable),
    cgroup: cgroupOperations(cgroup, !record.host.privileged),
    network: network.contribution,
    seccomp: await seccompProgram(engine, record.host, spec.process.capabilities.bounding),
    init: record.host.init,
    fileSources: new Set(
      spec.mounts
        .filter(({ type, source }) => type === "bind" && (own.has(source) || isFile(source)))
        .map(({ source }) => source),
    ),
    kcore: engine.machine.exists("/proc/kcore"),
    terminal: record.config.tty ? (options.terminal ?? { rows: 0, columns: 0 }) : undefined,
  });
  return {
    spec,
    files: [...etc, config],
    plan: {
      operations,
      timings: options.timings,
      monitor: {
        tty: record.config.tty,
        stdin: record.config.openStdin,
        stdinOnce: record.config.stdinOnce,
        durable: !options.disposable,
        session: false,
        logPath: record.host.logDriver === "none" ? "" : files.log,
        logMaxSize: record.host.logMaxSize,
        logMaxFiles: record.host.logMaxFiles,
        exitPath: files.exit,
        runDirectory: files.run,
        oomPath: cgroup.oomPath,
        detachKeys: options.detachKeys,
        inherited: network.inherited.length,
        cleanupArgv: record.host.autoRemove ? [...engine.self, "cleanup", record.id] : [],
        cleanupEnv: [
          `BOCKER_DATA=${engine.paths.data}`,
          `BOCKER_RUN=${engine.paths.run}`,
          "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        ],
      },
    },
  };
}
