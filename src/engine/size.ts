/** How large a container's files are. */
import type { ContainerRecord } from "../spec/container.ts";
import { changedBytes } from "./container-changes.ts";
import type { Engine } from "./engine.ts";

/** Bytes that the container has written; 0 once it is gone. */
export function writtenBytes(engine: Engine, record: ContainerRecord): number {
  return changedBytes(engine, record);
}

/** Bytes that the container has written, and those plus its image. Of `host` nothing is known. */
export function containerSize(engine: Engine, record: ContainerRecord): { written: number; total: number } {
  const written = writtenBytes(engine, record);
  return { written, total: written + (engine.images.get(record.imageId)?.size ?? 0) };
}
