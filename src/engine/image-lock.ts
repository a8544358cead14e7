/**
 * The locks around images.
 *
 * Layers and blobs are published, and removed when nothing refers to them any more, under one short lock:
 * whoever publishes an image checks under it that the layers it builds on are still there, and whoever
 * removes one decides under it that nothing needs them. Preparing takes long and needs no lock.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Digest, digestHex } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { type Lock, lock, tryLock } from "../state/locks.ts";
import type { Engine } from "./engine.ts";

/** Milliseconds between two looks at a lock that someone else holds. */
const POLL = 50;

/** Runs `action` while no other process publishes or removes layers and blobs. Keep it short. */
export function withImageLock<T>(engine: Engine, action: () => T): T {
  // Two letters that no container's id starts with.
  const held = lock(engine.paths.locks, "images");
  try {
    return action();
  } finally {
    held.release();
  }
}

/**
 * Waits for the other process that is pulling the same manifest, if there is one. The wait is one of
 * looking again, since waiting in flock(2) would stop signals and transfers.
 */
export async function lockPull(engine: Engine, manifest: Digest, signal: AbortSignal): Promise<Lock> {
  for (;;) {
    const held = tryLock(join(engine.paths.locks, "pulls"), digestHex(manifest));
    if (held !== undefined) return held;
    try {
      await delay(POLL, undefined, { signal });
    } catch {
      throw new BockerError("interrupted", "interrupted");
    }
  }
}

/** Removes what crashed processes left of layers and blobs that they did not finish. */
export function removeUnfinished(engine: Engine): void {
  // First the store: opening it makes the directories of both.
  engine.content.removeStaleIngests();
  withImageLock(engine, () => engine.driver.removeStaleLayers());
}
