/** `start`: a recorded container becomes a running one. */
import { BockerError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import type { Streams } from "../monitor/protocol.ts";
import { makeDirectories, removeFile, syncDirectory, writeFile } from "../os/host-files.ts";
import type { ContainerRecord, ContainerState } from "../spec/container.ts";
import { releaseAddresses } from "../state/addresses.ts";
import { containerPaths } from "../state/paths.ts";
import { readState } from "../state/status.ts";
import type { Started } from "./await-started.ts";
import { beginStart, completeStart } from "./carry-out.ts";
import { recordContainerEvents } from "./container-events.ts";
import { lockContainer } from "./container-lock.ts";
import type { Engine } from "./engine.ts";
import { FreshStart, rootLayers } from "./fresh-start.ts";
import { type NetworkPlan, planNetwork } from "./network.ts";
import { type Attempts, askForRestart, forgetRestart } from "./restart-policy.ts";
import type { StartOptions } from "./start-source.ts";
import { awaitMonitor } from "./stop.ts";

/** A start by a restart policy. */
export interface StartAgain {
  attempts: Attempts;
  /** Whether it is still wanted; asked under the container's lock. */
  isWanted: () => boolean;
}

function refuseStart(record: ContainerRecord, state: ContainerState, again: StartAgain | undefined): void {
  if (state.status === "running")
    throw new BockerError(
      "conflict",
      state.paused
        ? "cannot start a paused container, try unpause instead"
        : `container ${shortId(record.id)} is already running`,
    );
  if (again?.isWanted() === false)
    throw new BockerError("conflict", `container ${shortId(record.id)} is not to be started again any more`);
}

/**
 * Starts a container; returns once its program runs.
 * @param streams attached before the program's first byte
 * @param again it is started by its restart policy, if that is still wanted
 * @throws BockerError with Docker's reasons; the container is then as it was before, but for the reason and its exit code
 */
export async function startContainer(
  engine: Engine,
  record: ContainerRecord,
  streams: Streams | undefined,
  options: StartOptions,
  again?: StartAgain,
): Promise<Started> {
  const files = containerPaths(engine.paths, record.id);
  if (readState(engine.paths, record.id).status === "exited") await awaitMonitor(engine, record);
  const held = lockContainer(engine, record);
  let network: NetworkPlan | undefined;
  try {
    const before = readState(engine.paths, record.id);
    refuseStart(record, before, again);
    try {
      network = await planNetwork(engine, record);
      // R10: all that a start changes of it is its place in the network, which ends with the boot.
      engine.transaction(() => engine.containers.update(record), { passing: true });
      makeDirectories(files.run, 0o700);
      removeFile(files.paused);
      forgetRestart(engine, record.id);
      askForRestart(engine, record, again?.attempts);
      if (record.config.healthcheck !== undefined) (await import("./health.ts")).beginHealth(engine, record);
      const layers = rootLayers(engine, record);
      const decide = () => FreshStart.decide(engine, record, layers, options);
      const decided = await decide();
      removeFile(files.exit);
      writeFile(files.started, "");
      if (streams !== undefined) recordContainerEvents(engine, record, "attach");
      // R1: else a power cut gives it back the end that it had before, or makes it one that was never started.
      syncDirectory(files.directory);
      const fds = [held.fd, ...network.joined];
      const begin = (source: FreshStart) => beginStart(record, source, streams, options, fds);
      return await completeStart(begin(decided), async () => begin(await decide()), network, options);
    } catch (error) {
      const { recordFailure, undoStart } = await import("./undo-start.ts");
      undoStart(record, error);
      if (network !== undefined) releaseAddresses(engine.database, record.id);
      recordFailure(engine, record, before, error);
      throw error;
    }
  } finally {
    network?.close();
    held.release();
  }
}
