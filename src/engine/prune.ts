/** `container prune`: all containers that do not run. */
import { BockerError } from "../base/errors.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { isUp, stateReader } from "../state/status.ts";
import type { Engine } from "./engine.ts";
import { recordPrune } from "./image-events.ts";
import { removeContainer } from "./remove.ts";
import { writtenBytes } from "./size.ts";

export interface Pruned {
  /** What went, or would go. */
  names: string[];
  /** On the disk. */
  bytes: number;
}

export interface PruneOptions<T> {
  /** Also what has a name: images with tags, volumes that are not anonymous. */
  all: boolean;
  /** What filters let through. */
  isWanted: (thing: T) => boolean;
  /** Everything is worked out, and nothing is removed. */
  dry: boolean;
  /** Containers that are to be thought away: ids. */
  gone: ReadonlySet<string>;
}

/** Those that do not run, nor wait to be started again. */
export function stoppedContainers(engine: Engine): ContainerRecord[] {
  const stateOf = stateReader(engine.paths);
  return engine.containers.list().filter(({ id }) => !isUp(stateOf(id)));
}

/** Removes these of the containers, but none that has been started or removed since. Their volumes stay, as with Docker. */
export async function pruneContainers(
  engine: Engine,
  records: readonly ContainerRecord[],
  dry: boolean,
): Promise<Pruned> {
  const pruned: Pruned = { names: [], bytes: 0 };
  for (const record of records)
    try {
      const bytes = writtenBytes(engine, record);
      if (!dry) await removeContainer(engine, record);
      pruned.names.push(record.id);
      pruned.bytes += bytes;
    } catch (error) {
      if (!(error instanceof BockerError && ["conflict", "not-found"].includes(error.code))) throw error;
    }
  if (!dry) recordPrune(engine, "container", pruned.bytes);
  return pruned;
}
