/** `rm`: a container's record, its files and everything that was leased to it. */

import { BockerError } from "../base/errors.ts";
import { exists, removeTree } from "../os/host-files.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { releaseAddresses } from "../state/addresses.ts";
import { lock } from "../state/locks.ts";
import { containerPaths } from "../state/paths.ts";
import { isUp, readState, stateName } from "../state/status.ts";
import { deleteDiscarded, discard } from "../state/trash.ts";
import { recordContainerEvents } from "./container-events.ts";
import type { Engine } from "./engine.ts";
import { destroyVolumes, forgetVolumes } from "./volumes.ts";

export interface RemoveOptions {
  /** Kill it first if it runs. */
  force?: boolean;
  /** With its anonymous volumes. */
  volumes?: boolean;
  /** Its monitor is still there and deletes the files that are moved out of the way (MonitorConfig.discardPath). */
  monitorDeletes?: boolean;
}

/** Throws "conflict" for a container that runs, unless it may be killed. */
export function checkRemovable(engine: Engine, record: ContainerRecord, force: boolean): void {
  const state = readState(engine.paths, record.id);
  if (force || !isUp(state)) return;
  const reason =
    stateName(state) === "paused"
      ? "container is paused and must be unpaused first"
      : `container is ${stateName(state)}: stop the container before removing or force remove`;
  throw new BockerError("conflict", `cannot remove container "${record.name}": ${reason}`);
}

/**
 * Removes a container. The record goes first, so that the name is free; the files are moved out of the
 * way by one rename and deleted then, so that a crash leaves only trash.
 * @throws BockerError "conflict" when it runs and `force` is not given
 */
export async function removeContainer(
  engine: Engine,
  record: ContainerRecord,
  options: RemoveOptions = {},
): Promise<void> {
  if (options.force === true) {
    const { killContainer } = await import("./stop.ts");
    await killContainer(engine, record);
  }
  const held = lock(engine.paths.locks, record.id);
  try {
    checkRemovable(engine, record, false);
    deleteContainer(engine, record, options.volumes === true, options.monitorDeletes === true);
  } finally {
    held.release();
  }
}

/** Records first, then files. The caller holds the container's lock. `volumes`: the anonymous ones go with it. */
export function deleteContainer(
  engine: Engine,
  record: ContainerRecord,
  volumes: boolean,
  monitorDeletes = false,
): void {
  const files = containerPaths(engine.paths, record.id);
  const forget = () => {
    if (record.attachment !== undefined) releaseAddresses(engine.database, record.id);
    engine.containers.delete(record.id);
    return forgetVolumes(engine, record, !volumes);
  };
  // R2: the record is gone from the disk before the files are. What a --rm container has left of either after a power cut
  // is removed by the next command, whether it is its record or its files.
  const passing = record.host.autoRemove && exists(files.started);
  const forgotten = engine.transaction(forget, { passing });
  const moved = discard(engine.paths, files.directory, record.id);
  if (!monitorDeletes) {
    removeTree(files.run);
    if (moved) deleteDiscarded(engine.paths, record.id);
  }
  destroyVolumes(engine.paths, forgotten);
  recordContainerEvents(engine, record, "destroy");
}
