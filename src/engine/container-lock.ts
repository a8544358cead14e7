/** The lock of a container that was looked up before: it may be gone by the time that the lock is taken. */
import { BockerError } from "../base/errors.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { type Lock, lock } from "../state/locks.ts";
import type { Engine } from "./engine.ts";

/** Waits for the lock. Throws "not-found" in Docker's words when the container was removed meanwhile. */
export function lockContainer(engine: Engine, { id, name }: ContainerRecord): Lock {
  const held = lock(engine.paths.locks, id);
  if (engine.containers.get(id) !== undefined) return held;
  held.release();
  throw new BockerError("not-found", `No such container: ${name}`);
}
