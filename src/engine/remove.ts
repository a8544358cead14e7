/** `rm`: a container's record, its files and everything that was leased to it. */
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { BockerError } from "../base/errors.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { lock } from "../state/locks.ts";
import { containerPaths } from "../state/paths.ts";
import { readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";
import { releaseNetwork } from "./network.ts";

/**
 * Removes a container that does not run. The record goes first, so that the name is free; the files are
 * moved out of the way by one rename and deleted then, so that a crash leaves only trash.
 * @throws BockerError "conflict" when it runs
 */
export function removeContainer(engine: Engine, record: ContainerRecord): void {
  const held = lock(engine.paths.locks, record.id);
  try {
    const state = readState(engine.paths, record.id);
    if (state.status === "running")
      throw new BockerError(
        "conflict",
        `cannot remove container "${record.name}": container is running: stop the container before removing or force remove`,
      );
    deleteFiles(engine, record);
  } finally {
    held?.release();
  }
}

function deleteFiles(engine: Engine, record: ContainerRecord): void {
  engine.transaction(() => {
    releaseNetwork(engine, record.id);
    engine.containers.delete(record.id);
  });
  const files = containerPaths(engine.paths, record.id);
  rmSync(files.run, { recursive: true, force: true });
  mkdirSync(engine.paths.trash, { recursive: true, mode: 0o700 });
  const trash = join(engine.paths.trash, record.id);
  try {
    renameSync(files.directory, trash);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  rmSync(trash, { recursive: true, force: true });
}
