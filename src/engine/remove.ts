/** `rm`: a container's record, its files and everything that was leased to it. */
import { rmSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { lock } from "../state/locks.ts";
import { containerPaths } from "../state/paths.ts";
import { readState } from "../state/status.ts";
import { deleteDiscarded, discard } from "../state/trash.ts";
import type { Engine } from "./engine.ts";
import { releaseNetwork } from "./network.ts";
import { killContainer } from "./stop.ts";
import { removeAnonymousVolumes } from "./volumes.ts";

export interface RemoveOptions {
  /** Kill it first if it runs. */
  force?: boolean;
  /** With its anonymous volumes. */
  volumes?: boolean;
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
  if (options.force === true) await killContainer(engine, record);
  const held = lock(engine.paths.locks, record.id);
  try {
    const state = readState(engine.paths, record.id);
    if (state.status === "running")
      throw new BockerError(
        "conflict",
        `cannot remove container "${record.name}": container is running: stop the container before removing or force remove`,
      );
    deleteContainer(engine, record);
    if (options.volumes === true) removeAnonymousVolumes(engine, record);
  } finally {
    held?.release();
  }
}

/** Record first, then files. The caller holds the container's lock. */
export function deleteContainer(engine: Engine, record: ContainerRecord): void {
  engine.transaction(() => {
    releaseNetwork(engine, record.id);
    engine.containers.delete(record.id);
  });
  const files = containerPaths(engine.paths, record.id);
  rmSync(files.run, { recursive: true, force: true });
  if (discard(engine.paths, files.directory, record.id)) deleteDiscarded(engine.paths, record.id);
}
