/** `update`: other limits for a container, at once if it runs, and for every start to come; and another restart policy. */
import { BockerError } from "../base/errors.ts";
import { limitChanges, writeLimits } from "../cgroup/change.ts";
import { resourcesOf } from "../runtime/generate/resources.ts";
import type { ContainerRecord, HostConfig, RestartPolicy } from "../spec/container.ts";
import { isRestarting, readState } from "../state/status.ts";
import { containerCgroup } from "./cgroup.ts";
import { recordContainerEvents } from "./container-events.ts";
import { lockContainer } from "./container-lock.ts";
import type { Engine } from "./engine.ts";
import { askForRestart, forgetRestart, isToRestart, pastAttempts } from "./restart-policy.ts";

/** What of a container's settings can be changed; undefined stays as it is. */
export type Limits = Pick<
  HostConfig,
  | "memory"
  | "memorySwap"
  | "memoryReservation"
  | "nanoCpus"
  | "cpuShares"
  | "cpusetCpus"
  | "cpusetMems"
  | "pidsLimit"
>;

export interface Changes extends Limits {
  restart?: RestartPolicy | "no";
}

/** Memory and swap together, as a start without a word on swap would have it. */
const swapOf = ({ memory, memorySwap }: Limits) =>
  memorySwap ?? (memory === undefined ? undefined : memory * 2);

/** The settings with the changes. */
function changedHost(host: HostConfig, { restart, ...limits }: Changes): HostConfig {
  const changed = changedLimits(host, limits);
  if (restart === undefined) return changed;
  if (restart !== "no" && host.autoRemove)
    throw new BockerError(
      "invalid",
      "Restart policy cannot be updated because AutoRemove is enabled for the container",
    );
  return { ...changed, restart: restart === "no" ? undefined : restart };
}

/** A limit of swap that is there stays, though nobody named it (moby, UpdateContainer). */
function changedLimits(host: HostConfig, changes: Limits): HostConfig {
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
  const swap = swapOf(host);
  if (changes.memory === undefined || changes.memorySwap !== undefined || swap === undefined)
    return { ...host, ...given };
  if (swap > 0 && changes.memory > swap)
    throw new BockerError(
      "conflict",
      "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
    );
  return { ...host, ...given, memorySwap: swap };
}

/** For the end that is to come: of a container that runs, or of one that waits to. */
function changeRestart(engine: Engine, record: ContainerRecord): void {
  const state = readState(engine.paths, record.id);
  if (state.status !== "running" && !isRestarting(state)) return;
  if (record.host.restart === undefined) forgetRestart(engine, record.id);
  else if (!isToRestart(engine, record.id)) askForRestart(engine, record, pastAttempts(engine, record.id));
}

/**
 * Changes a container's limits and its restart policy. When it throws, they are what they were.
 * @throws BockerError "not-found", "invalid" and "conflict" in Docker's words, "platform" where the machine cannot
 */
export function updateContainer(engine: Engine, container: ContainerRecord, changes: Changes): void {
  const held = lockContainer(engine, container);
  try {
    const record = engine.containers.find(container.id);
    const host = changedHost(record.host, changes);
    const { processors } = engine.machine;
    const [before, after] = [record.host, host].map((one) => resourcesOf(one, processors));
    if (readState(engine.paths, record.id).status === "running") {
      try {
        writeLimits(limitChanges(containerCgroup(record), before!, after!));
      } catch (error) {
        if (!(error instanceof BockerError)) throw error;
        throw new BockerError(error.code, `Cannot update container ${record.id}: ${error.message}`, {
          cause: error,
        });
      }
    }
    const changed = { ...record, host };
    engine.transaction(() => engine.containers.update(changed));
    if (changes.restart !== undefined) changeRestart(engine, changed);
    recordContainerEvents(engine, record, "update");
  } finally {
    held.release();
  }
}
