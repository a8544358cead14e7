/** `run --explain`: everything is decided as for a run, and nothing is done. */

import { join } from "node:path";
import { BockerError } from "../base/errors.ts";
import type { MonitorPlace } from "../cgroup/monitors.ts";
import { exists } from "../os/host-files.ts";
import { libraryDirectory } from "../os/native.ts";
import type { Explanation } from "../runtime/explain/explanation.ts";
import { monitorSteps } from "../runtime/plan/monitor-place.ts";
import type { Step } from "../runtime/plan/step.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths, ownDirectories, type Paths } from "../state/paths.ts";
import { choicePath, choiceText } from "../storage/choice.ts";
import { containerDirectories } from "./create.ts";
import type { Engine } from "./engine.ts";
import { type ExecRequest, prepareExec, runningPid } from "./exec.ts";
import { FreshStart, untouchedLayers } from "./fresh-start.ts";
import { healthSteps } from "./health.ts";
import { networkOwner } from "./network.ts";
import { previewNetwork } from "./network-preview.ts";
import { type CreateRequest, newRecord } from "./record.ts";
import { restartSteps } from "./restart-policy.ts";
import type { StartOptions } from "./start-source.ts";

function missingDirectories(paths: Paths): Step[] {
  return ownDirectories(paths)
    .filter((path) => !exists(path))
    .map((path) => ({
      step: "directory",
      group: "storage",
      what: `make ${path}`,
      why: "bocker's own; made once on a machine",
      path,
      mode: 0o710,
    }));
}

/** What decides the storage driver of a data root that is new. */
function choiceSteps({ paths, storage }: Engine): Step[] {
  if (storage.keep === undefined) return [];
  const path = choicePath(paths.data);
  return [
    {
      step: "file",
      group: "storage",
      what: `write ${path}`,
      why: `the data root is one of the storage driver ${storage.name} from now on`,
      path,
      content: choiceText(storage),
      mode: 0o644,
    },
  ];
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

/** The launcher, and before it what is missing of the way to the cgroup that it is born in. */
function launchSteps(place: MonitorPlace): Step[] {
  const program = join(libraryDirectory(), "bocker-launcher");
  const cgroup = place.bornIn?.directory ?? "";
  return [
    ...monitorSteps(place).filter(({ path }) => !exists(path)),
    {
      step: "launch",
      group: "exec",
      what: `run ${program} from a sealed copy in memory${cgroup === "" ? "" : `, born in ${cgroup}`}, and send it the plan in two parts`,
      why: "a container that gets hold of /proc/PID/exe finds nothing it could overwrite (CVE-2019-5736)",
      program,
      cgroup,
    },
  ];
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
  const record = newRecord(engine, request);
  const files = containerPaths(paths, record.id);
  // Before there is an address, as in the run.
  const start = await FreshStart.decide(engine, record, untouchedLayers(record), options);
  const { network, steps } = await previewNetwork(engine, record);
  try {
    const rest = await start.rest(network);
    const address = record.attachment?.address;
    return {
      id: record.id,
      name: record.name,
      image: {
        reference: request.image.reference,
        id: request.image.id,
        layers: untouchedLayers(record),
      },
      before: [
        ...missingDirectories(paths),
        ...choiceSteps(engine),
        ...bindSourceSteps(record),
        ...containerDirectories(engine, record),
        {
          step: "directory",
          group: "exec",
          what: `make ${files.run}`,
          why: "the monitor's state and the socket that `bocker attach` and `bocker logs -f` connect to",
          path: files.run,
          mode: 0o700,
        },
        ...restartSteps(engine, record),
        ...healthSteps(engine, record),
        ...start.steps,
        ...start.files,
        ...launchSteps(start.place),
      ],
      meanwhile: [
        ...steps,
        ...(address === undefined ? [] : [leaseStep(paths, address)]),
        ...volumeSteps(record),
        recordStep(paths, record),
        ...rest.files,
      ],
      plan: await start.plan(network),
      after: record.host.autoRemove
        ? [
            removal(files.run, "what belonged to this start; the monitor does it, as its last act"),
            removal(
              files.directory,
              "--rm: what the container wrote goes with it. It is moved aside at once, and deleted by the monitor",
            ),
          ]
        : [],
      inherited: inheritedNames(engine, record),
    };
  } finally {
    network.close();
  }
}

function missingMounts(
  record: ContainerRecord,
  wanted: "bind" | "volume",
  why: (destination: string) => string,
): Step[] {
  return record.mounts
    .filter(({ type, source }) => type === wanted && !exists(source))
    .map(({ source, destination }) => ({
      step: "directory",
      group: "storage",
      what: `make ${source}`,
      why: why(destination),
      path: source,
      mode: 0o755,
    }));
}

function bindSourceSteps(record: ContainerRecord): Step[] {
  return missingMounts(record, "bind", () => "-v makes a source that is missing");
}

function volumeSteps(record: ContainerRecord): Step[] {
  return missingMounts(
    record,
    "volume",
    (destination) =>
      `the volume at ${destination}: it outlives the container; what the image has there is copied into it`,
  );
}

/** What an exec of the request would do now. @param engine one that is dry */
export async function explainExec(
  engine: Engine,
  record: ContainerRecord,
  request: ExecRequest,
): Promise<Explanation> {
  const pid = runningPid(engine, record);
  const { plan, place } = await prepareExec(engine, record, pid, request);
  return {
    id: record.id,
    name: record.name,
    before: launchSteps(place),
    meanwhile: [],
    plan,
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
