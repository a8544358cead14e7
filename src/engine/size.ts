/** How large a container's or an image's files are. */
import { treeSize } from "../images/layer/diff.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { openat, withFd } from "../os/files.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths } from "../state/paths.ts";
import type { Engine } from "./engine.ts";

/** Bytes that the container has written, and those plus its image. Of `host` nothing is known. */
export function containerSize(engine: Engine, record: ContainerRecord): { written: number; total: number } {
  const { upper } = containerPaths(engine.paths, record.id);
  const written = withFd(openat(AT_FDCWD, upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC), treeSize);
  return { written, total: written + (engine.images.get(record.imageId)?.size ?? 0) };
}
