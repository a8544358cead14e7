/** `run --explain`: everything is decided as for a run, and nothing is done. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BockerError } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import { libraryDirectory } from "../os/native.ts";
import type { Explanation } from "../runtime/explain/explanation.ts";
import type { Step } from "../runtime/plan/step.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths, ownDirectories, type Paths } from "../state/paths.ts";
import { type CreateRequest, containerDirectories, containerRecord } from "./create.ts";
import type { Engine } from "./engine.ts";
import { type ExecRequest, prepareExec, runningPid } from "./exec.ts";
import { networkOwner } from "./network.ts";
import { previewNetwork } from "./network-preview.ts";
import { compileStart, type StartOptions } from "./prepare.ts";

function missingDirectories(paths: Paths): Step[] {
  return ownDirectories(paths)
    .filter((path) => !existsSync(path))
    .map((path) => ({
      step: "directory",
      group: "storage",
      what: `make ${path}`,
      why: "bocker's own; made once on a machine",
      path,
      mode: 0o710,
    }));
}

function recordStep(paths: Paths, record: ContainerRecord): Step {
  return {
    step: "record",
    group: "storage",
    what: `record the container${record.name === "" ? "" : ` ${record.name}`} in ${paths.database}`,
    why: "its name becomes its own in one transaction, and its settings stay for later starts",
    database: paths.database,
    table: "containers",
  };
}

function leaseStep(paths: Paths, address: string): Step {
  return {
    step: "record",
    group: "network",
    what: `lease ${address} in ${paths.database}`,
    why: "no other container gets it, and it rests as long as possible before it is used again",
    database: paths.database,
    table: "addresses",
  };
}

function launchStep(): Step {
  const program = join(libraryDirectory(), "bocker-launcher");
  return {
    step: "launch",
    group: "exec",
    what: `run ${program} from a sealed copy in memory, with the plan in another`,
    why: "a container that gets hold of /proc/PID/exe finds nothing it could overwrite (CVE-2019-5736)",
    program,
  };
}

function removal(path: string, why: string): Step {
  return { step: "remove", group: "storage", what: `remove ${path}`, why, path };
}

/** Throws "conflict" for a name that is taken, as recording it would. */
function checkName(engine: Engine, name: string): void {
  const taken = name !== "" && engine.containers.list().some((other) => other.name === name);
  if (taken) throw new BockerError("conflict", `Conflict. The container name "/${name}" is already in use.`);
}

/**
 * What a run of the request would do now.
 * @param engine one that is dry
 * @throws BockerError as the run itself would
 */
export async function explainRun(
  engine: Engine,
  request: CreateRequest,
  options: StartOptions,
): Promise<Explanation> {
  const { paths } = engine;
  checkName(engine, request.name);
  const record = containerRecord(paths, newId(), request);
  const files = containerPaths(paths, record.id);
  const { network, steps } = previewNetwork(engine, record);
  try {
    const root = record.host.rootfs;
    const layers = root === undefined ? record.layers : [root];
    const { plan, files: written } = await compileStart(engine, record, layers, network, options);
    const address = record.attachment?.address;
    return {
      id: record.id,
      name: record.name,
      image: {
        reference: request.image.reference,
        id: request.image.id,
        layers: root === undefined ? request.image.layers : [root],
      },
      before: [
        ...missingDirectories(paths),
        ...containerDirectories(paths, record.id),
        ...volumeSteps(record),
        recordStep(paths, record),
        ...steps,
        ...(address === undefined ? [] : [leaseStep(paths, address)]),
        {
          step: "directory",
          group: "exec",
          what: `make ${files.run}`,
          why: "the monitor's state and the socket that `bocker attach` and `bocker logs -f` connect to",
          path: files.run,
          mode: 0o700,
        },
        ...written,
        launchStep(),
      ],
      plan,
      after: record.host.autoRemove
        ? [
            removal(files.run, "what belonged to this start"),
            removal(files.directory, "--rm: what the container wrote goes with it"),
          ]
        : [],
      inherited: inheritedNames(engine, record),
    };
  } finally {
    network.close();
  }
}

/** Missing sources of binds and volumes; a new volume is filled with what the image has at its place. */
function volumeSteps(record: ContainerRecord): Step[] {
  return record.mounts
    .filter(({ type, source }) => type !== "tmpfs" && !existsSync(source))
    .map(({ type, source, destination }) => ({
      step: "directory",
      group: "storage",
      what: `make ${source}`,
      why:
        type === "bind"
          ? "-v makes a source that is missing"
          : `the volume at ${destination}: it outlives the container; what the image has there is copied into it`,
      path: source,
      mode: 0o755,
    }));
}

/** What an exec of the request would do now. @param engine one that is dry */
export async function explainExec(
  engine: Engine,
  record: ContainerRecord,
  request: ExecRequest,
): Promise<Explanation> {
  const pid = runningPid(engine, record);
  return {
    id: record.id,
    name: record.name,
    before: [launchStep()],
    plan: await prepareExec(engine, record, pid, request),
    after: [],
    inherited: [String(pid)],
  };
}

function inheritedNames(engine: Engine, record: ContainerRecord): string[] {
  if (record.host.networkMode.startsWith("container:"))
    return [`/proc/${networkOwner(engine, record).pid}/ns/net`];
  return (record.attachment?.published ?? []).map(
    ({ hostIp, hostPort, protocol }) => `a ${protocol} socket that holds ${hostIp}:${hostPort}`,
  );
}
