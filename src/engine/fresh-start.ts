/** From a container's record to the plan of its start: the place where the rooms meet. */

import { BockerError } from "../base/errors.ts";
import { CGROUP_MOUNT, parseLayout } from "../cgroup/layout.ts";
import { type MonitorPlace, planMonitor } from "../cgroup/monitors.ts";
import { planCgroup } from "../cgroup/plan.ts";
import { Facts } from "../os/facts.ts";
import { hostDevices, machineBy } from "../os/machine.ts";
import { generateSpec, processOf, type SpecMachine } from "../runtime/generate/spec.ts";
import { type ResolvedUser, resolveUser } from "../runtime/generate/user.ts";
import { cgroupOperations, evacuationSteps } from "../runtime/plan/cgroup.ts";
import {
  compileBeginning,
  compileRest,
  type RestOperations,
  type RootContext,
} from "../runtime/plan/compile.ts";
import { encodeBeginning, encodeOperations, MAX_OPERATIONS } from "../runtime/plan/encode.ts";
import { execOperation } from "../runtime/plan/exec.ts";
import { meetingOperations, type NetworkOperations } from "../runtime/plan/network.ts";
import type { MonitorConfig, Operation, Plan } from "../runtime/plan/operation.ts";
import { rootOperations } from "../runtime/plan/root.ts";
import type { ContainerRecord } from "../spec/container.ts";
import type { RuntimeSpec } from "../spec/runtime.ts";
import { containerPaths, containerRoot } from "../state/paths.ts";
import { discardedPath } from "../state/trash.ts";
import { containerCgroup } from "./cgroup.ts";
import { monitorEvents } from "./container-events.ts";
import type { Engine } from "./engine.ts";
import { addressedFiles, etcFiles } from "./etc-files.ts";
import { monitorCall } from "./monitor-call.ts";
import type { NetworkPlan } from "./network.ts";
import { privateFile } from "./private-file.ts";
import { seccompProgram } from "./seccomp.ts";
import type { Rest, StartOptions, StartSource } from "./start-source.ts";
import type { CgroupStep, FileStep, WriteStep } from "./steps.ts";

/** Operations that mount a container's root. */
export async function storageOf(
  engine: Engine,
  record: ContainerRecord,
  disposable: boolean,
): Promise<Operation[]> {
  const { mountPoint } = engine.paths;
  const mount =
    record.host.rootfs !== undefined
      ? ({
          kind: "bind",
          source: record.host.rootfs,
          why: "--rootfs: the directory itself is the root, and what the container changes stays",
        } as const)
      : await engine.driver.rootMount({ ...containerRoot(engine.paths, record), mountPoint, disposable });
  return rootOperations(mount, mountPoint);
}

/** Layers for reading single files of a container that has written nothing yet. */
export function untouchedLayers(record: ContainerRecord): string[] {
  return record.host.rootfs === undefined ? record.layers : [record.host.rootfs];
}

/** Directories that are a container's root together, the topmost first: for reading it without a mount. */
export function rootLayers(engine: Engine, record: ContainerRecord): string[] {
  if (record.host.rootfs !== undefined) return [record.host.rootfs];
  const changes = engine.driver.changes(containerRoot(engine.paths, record));
  return changes.kind === "tree" ? [changes.root] : [changes.directory, ...record.layers];
}

function configFile(path: string, spec: RuntimeSpec): WriteStep {
  const why = "the container as an OCI runtime specification, for whoever wants to know";
  return privateFile(path, JSON.stringify(spec), why);
}

/** Whose network is shared, whether it runs or not. Throws "not-found". */
function sharedNetworkOwner(engine: Engine, record: ContainerRecord): ContainerRecord | undefined {
  const [mode, owner] = record.host.networkMode.split(/:(.*)/s);
  return mode === "container" && owner !== undefined ? engine.containers.find(owner) : undefined;
}

/** As Docker does: who shares another's network goes by the other's name. */
function withNameOf(owner: ContainerRecord, record: ContainerRecord): ContainerRecord {
  const { hostname, domainname } = owner.config;
  return { ...record, config: { ...record.config, hostname, domainname } };
}

function machineOf(record: ContainerRecord, facts: Facts): SpecMachine {
  return { ...machineBy(facts), devices: record.host.privileged ? hostDevices() : [] };
}

/** The container as a specification; its process is root's until the image's files are read. */
function specOf(engine: Engine, record: ContainerRecord, facts: Facts): RuntimeSpec {
  const owner = sharedNetworkOwner(engine, record);
  return generateSpec({
    record: owner === undefined ? record : withNameOf(owner, record),
    machine: machineOf(record, facts),
    cgroupsPath: containerCgroup(record),
    mountPoint: engine.paths.mountPoint,
    // With another's network come the other's name and nameservers: the same files.
    files: containerPaths(engine.paths, (owner ?? record).id),
  });
}

/** Which sources of bind mounts are files, and which are not there yet. */
function sourcesOf(
  { mounts }: ContainerRecord,
  spec: RuntimeSpec,
  etc: FileStep[],
  facts: Facts,
): Pick<RootContext, "fileSources" | "laterSources"> {
  const own = new Set(etc.map(({ path }) => path));
  const volumes = new Set(mounts.filter(({ type }) => type === "volume").map(({ source }) => source));
  const binds = spec.mounts.filter(({ type, source }) => type === "bind" && !volumes.has(source));
  const files = binds.map(({ source }) => source).filter((source) => own.has(source) || facts.isFile(source));
  return { fileSources: new Set(files), laterSources: volumes };
}

function monitorOf(
  engine: Engine,
  record: ContainerRecord,
  oomPath: string,
  options: StartOptions,
): MonitorConfig {
  const files = containerPaths(engine.paths, record.id);
  const removes = record.host.autoRemove;
  const call = monitorCall(engine, record.id);
  return {
    tty: record.config.tty,
    stdin: record.config.openStdin,
    stdinOnce: record.config.stdinOnce,
    durable: !options.disposable,
    session: false,
    locked: true,
    logPath: record.host.logDriver === "none" ? "" : files.log,
    logMaxSize: record.host.logMaxSize,
    logMaxFiles: record.host.logMaxFiles,
    exitPath: files.exit,
    runDirectory: files.run,
    oomPath,
    detachKeys: options.detachKeys,
    discardPath: removes ? discardedPath(engine.paths, record.id) : "",
    callArgv: call.argv,
    callEnv: call.env,
  };
}

/** What a start decides once the image's files can be looked at. */
interface DecidedRest extends RestOperations {
  exec: Operation;
  config: WriteStep;
  user: ResolvedUser;
}

/** A start that is decided now. Changes nothing. */
export class FreshStart implements StartSource {
  readonly steps: readonly CgroupStep[];
  readonly files: readonly FileStep[];
  readonly place: MonitorPlace;
  readonly operations: Operation[];
  readonly monitor: MonitorConfig;
  /** Everything about the machine that was looked at. */
  readonly facts = new Facts();
  readonly #engine: Engine;
  readonly #record: ContainerRecord;
  readonly #layers: string[];
  readonly #options: StartOptions;
  readonly #root: RootContext;
  #rest: DecidedRest | undefined;

  /**
   * @param layers where single files of the root are read from, the topmost first
   * @throws BockerError "invalid" for settings with which it could never start
   */
  static async decide(
    engine: Engine,
    record: ContainerRecord,
    layers: string[],
    options: StartOptions,
  ): Promise<FreshStart> {
    const storage = await storageOf(engine, record, options.disposable);
    return new FreshStart(engine, record, layers, options, storage);
  }

  private constructor(
    engine: Engine,
    record: ContainerRecord,
    layers: string[],
    options: StartOptions,
    storage: Operation[],
  ) {
    const { facts } = this;
    this.#engine = engine;
    this.#record = record;
    this.#layers = layers;
    this.#options = options;
    const spec = specOf(engine, record, facts);
    // Of all mounts only these: others come and go.
    const mounts = facts.lines("/proc/self/mountinfo", CGROUP_MOUNT);
    const layout = parseLayout(mounts, facts.text("/proc/self/cgroup") ?? "");
    const plan = planCgroup(containerCgroup(record), spec.linux.resources, layout, facts.text);
    if (plan.version === 2) spec.linux.namespaces.push({ type: "cgroup" });
    this.steps = evacuationSteps(plan);
    this.place = planMonitor(layout);
    const etc =
      sharedNetworkOwner(engine, record) === undefined ? etcFiles(engine.paths, record, facts.text) : [];
    this.files = etc;
    this.#root = {
      spec,
      cgroup: cgroupOperations(plan, this.place, !record.host.privileged),
      ...sourcesOf(record, spec, etc, facts),
      kcore: facts.exists("/proc/kcore"),
    };
    this.operations = compileBeginning({ ...this.#root, storage });
    this.monitor = monitorOf(engine, record, plan.oomPath, options);
  }

  /** Throws as the constructor would: a container that could never start is not to be made. */
  static check(engine: Engine, record: ContainerRecord): void {
    specOf(engine, record, new Facts());
  }

  beginning(): Uint8Array {
    const { timings } = this.#options;
    return Buffer.concat([
      encodeBeginning({ monitor: this.monitor, timings }),
      encodeOperations(this.operations),
    ]);
  }

  /** Decided at the first call. */
  async decideRest(): Promise<DecidedRest> {
    if (this.#rest !== undefined) return this.#rest;
    const record = this.#record;
    const { spec } = this.#root;
    const user = resolveUser(
      record.config.user,
      this.#readRoot("/etc/passwd"),
      this.#readRoot("/etc/group"),
      record.host.groupAdd,
    );
    const owner = sharedNetworkOwner(this.#engine, record);
    const named = owner === undefined ? record : withNameOf(owner, record);
    spec.process = processOf({ record: named, machine: machineOf(record, this.facts) }, user);
    const { terminal } = this.#options;
    const operations = compileRest({
      ...this.#root,
      seccomp: await seccompProgram(this.#engine, record.host, spec.process.capabilities.bounding),
      init: record.host.init,
      terminal: record.config.tty ? (terminal ?? { rows: 0, columns: 0 }) : undefined,
    });
    this.#rest = {
      ...operations,
      exec: execOperation(spec.process.args, spec.process.env),
      config: configFile(containerPaths(this.#engine.paths, record.id).spec, spec),
      user,
    };
    return this.#rest;
  }

  #readRoot(path: string): string {
    return this.facts.layered(this.#layers, path);
  }

  #ordered(rest: DecidedRest, network: NetworkOperations): Operation[] {
    const { hostAfter, container, hostReady, cleanup } = meetingOperations(network);
    const before = [...hostAfter, ...rest.settled, ...container, ...hostReady, ...rest.last];
    return [...before, rest.exec, ...monitorEvents(this.#engine, this.#record), ...cleanup];
  }

  async rest(network: NetworkPlan): Promise<Rest> {
    const rest = await this.decideRest();
    const operations = this.#ordered(rest, network.operations);
    const count = this.operations.length + operations.length;
    if (count > MAX_OPERATIONS)
      throw new BockerError("invalid", `too many steps for one container: ${count}`);
    const { attachment } = this.#record;
    const addressed = attachment === undefined ? [] : addressedFiles(this.#engine.paths, this.#record);
    return { bytes: encodeOperations(operations), files: [...addressed, rest.config] };
  }

  async plan(network: NetworkPlan): Promise<Plan> {
    const rest = this.#ordered(await this.decideRest(), network.operations);
    return {
      operations: [...this.operations, ...rest],
      monitor: this.monitor,
      timings: this.#options.timings,
    };
  }
}
