/** `export`: a container's files as one archive. */
import { layersToTar } from "../images/layer/diff.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { close, openat } from "../os/files.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { recordContainerEvents } from "./container-events.ts";
import type { Engine } from "./engine.ts";
import { rootLayers } from "./fresh-start.ts";

/**
 * The archive in chunks: image and changes as one tree, without volumes and other mounts, as Docker's. What a running
 * container changes meanwhile may be in it or not.
 */
export function* exportContainer(engine: Engine, record: ContainerRecord): Generator<Buffer, void, void> {
  const open = (path: string) => openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const [top = "/", ...others] = rootLayers(engine, record);
  const roots: [number, ...number[]] = [open(top)];
  try {
    for (const layer of others) roots.push(open(layer));
    yield* layersToTar(roots);
    recordContainerEvents(engine, record, "export");
  } finally {
    for (const fd of roots) close(fd);
  }
}
