/** `run`: creates a container and starts it, both at the same time as far as they do not need each other. */

import type { Streams } from "../monitor/protocol.ts";
import { makeDirectory, writeFile } from "../os/host-files.ts";
import { abandon } from "../runtime/launch/launcher.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { releaseAddresses } from "../state/addresses.ts";
import { lock } from "../state/locks.ts";
import { containerPaths } from "../state/paths.ts";
import type { Started } from "./await-started.ts";
import { type Begun, beginStart, completeStart } from "./carry-out.ts";
import { recordContainerEvents } from "./container-events.ts";
import { discardUnrecorded, makeContainerFiles, recordContainer } from "./create.ts";
import type { Engine } from "./engine.ts";
import { keepStart, keptStart } from "./kept-start.ts";
import { type NetworkPlan, planNetwork } from "./network.ts";
import { type CreateRequest, newRecord } from "./record.ts";
import type { StartOptions, StartSource } from "./start-source.ts";

/** The network; or why there is none, which must not be said before it is certain that the name is free. */
type Planned = { network: NetworkPlan } | { reason: unknown };

async function tryNetwork(engine: Engine, record: ContainerRecord): Promise<Planned> {
  try {
    return { network: await planNetwork(engine, record) };
  } catch (reason) {
    return { reason };
  }
}

/** A start of a container that has written nothing yet. */
async function freshStart(engine: Engine, record: ContainerRecord, options: StartOptions) {
  const { FreshStart, untouchedLayers } = await import("./fresh-start.ts");
  return FreshStart.decide(engine, record, untouchedLayers(record), options);
}

/**
 * Makes a container that runs. While the launcher makes its cgroups and its process, it is recorded, its network is
 * decided and its root's files are looked at.
 * @param streams attached before the program's first byte
 * @param recorded called once the container is recorded: it stays then, whether it starts or not
 * @throws BockerError as create and start would
 */
export async function runContainer(
  engine: Engine,
  request: CreateRequest,
  streams: Streams | undefined,
  options: StartOptions,
  recorded: (record: ContainerRecord) => void,
): Promise<Started> {
  const record = newRecord(engine, request);
  const kept = keptStart(engine, record, options);
  const fresh = kept === undefined ? await freshStart(engine, record, options) : undefined;
  const source = kept ?? fresh!;
  options.mark?.("decide the container");
  const files = containerPaths(engine.paths, record.id);
  const isShared = record.host.networkMode.startsWith("container:");
  let planned: Planned | undefined = isShared ? { network: await planNetwork(engine, record) } : undefined;
  // Until the record is there, the directory looks like one that a crash has left.
  const held = lock(engine.paths.locks, record.id);
  let begun: Begun | undefined;
  let isRecorded = false;
  try {
    makeContainerFiles(engine, record, request);
    makeDirectory(files.run, 0o700);
    writeFile(files.started, "");
    if (record.host.restart !== undefined) {
      const { askForRestart } = await import("./restart-policy.ts");
      askForRestart(engine, record);
    }
    if (record.config.healthcheck !== undefined) (await import("./health.ts")).beginHealth(engine, record);
    const joined = planned !== undefined && "network" in planned ? planned.network.joined : [];
    const begin = (from: StartSource) => beginStart(record, from, streams, options, [held.fd, ...joined]);
    begun = begin(source);
    planned ??= await tryNetwork(engine, record);
    await recordContainer(engine, record, request, record.host.autoRemove);
    isRecorded = true;
    recordContainerEvents(engine, record, "create", ...(streams === undefined ? [] : ["attach"]));
    recorded(record);
    options.mark?.("record the container");
    if ("reason" in planned) throw planned.reason;
    const first = begun;
    begun = undefined;
    let keep = fresh;
    const again = async () => {
      keep = undefined;
      return begin(await freshStart(engine, record, options));
    };
    const started = await completeStart(first, again, planned.network, options);
    // Not being able to is no failure of a container that runs.
    if (keep !== undefined) await keepStart(engine, record, options, keep).catch(() => {});
    return started;
  } catch (error) {
    if (begun !== undefined) abandon(begun.launched);
    const { recordFailure, undoStart } = await import("./undo-start.ts");
    undoStart(record, error);
    releaseAddresses(engine.database, record.id);
    if (isRecorded) recordFailure(engine, record, { status: "created" }, error);
    else discardUnrecorded(engine, record);
    throw error;
  } finally {
    if (planned !== undefined && "network" in planned) planned.network.close();
    held.release();
  }
}
