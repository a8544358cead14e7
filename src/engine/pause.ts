/** `pause` and `unpause`: a container whose processes stand still. */
import { BockerError } from "../base/errors.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { readState } from "../state/status.ts";
import { recordContainerEvents } from "./container-events.ts";
import { lockContainer } from "./container-lock.ts";
import type { Engine } from "./engine.ts";
import { hold, resume } from "./freeze.ts";

/** Whether it is paused. Throws "not-running" in Docker's words. */
function isPaused(engine: Engine, { id }: ContainerRecord): boolean {
  const state = readState(engine.paths, id);
  if (state.status !== "running") throw new BockerError("not-running", `container ${id} is not running`);
  return state.paused;
}

/**
 * Returns once all processes have stopped.
 * @throws BockerError "not-running", "conflict" (it is paused already), "platform" (no freezer)
 */
export async function pauseContainer(engine: Engine, record: ContainerRecord): Promise<void> {
  const held = lockContainer(engine, record);
  try {
    if (isPaused(engine, record))
      throw new BockerError("conflict", `container ${record.id} is already paused`);
    await hold(engine, record);
    recordContainerEvents(engine, record, "pause");
  } finally {
    held.release();
  }
}

/** @throws BockerError "not-running", "conflict" (it is not paused) */
export function unpauseContainer(engine: Engine, record: ContainerRecord): void {
  const held = lockContainer(engine, record);
  try {
    if (!isPaused(engine, record)) throw new BockerError("conflict", `container ${record.id} is not paused`);
    resume(engine, record);
    recordContainerEvents(engine, record, "unpause");
  } finally {
    held.release();
  }
}
