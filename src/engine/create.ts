/** `create`: decides everything that is decided once, and records it. */
import { BockerError } from "../base/errors.ts";
import {
  exists,
  makeDirectories,
  removeTree,
  setMode,
  syncDirectory,
  syncFilesystem,
} from "../os/host-files.ts";
import type { ContainerRecord, MountPoint } from "../spec/container.ts";
import { lock } from "../state/locks.ts";
import { containerPaths, containerRoot } from "../state/paths.ts";
import { deleteDiscarded, discard } from "../state/trash.ts";
import type { RootPreparation } from "../storage/driver.ts";
import { recordContainerEvents } from "./container-events.ts";
import type { Engine } from "./engine.ts";
import { type CreateRequest, newRecord } from "./record.ts";
import { type CloneStep, type FileStep, performFileStep } from "./steps.ts";
import { destroyVolumes, forgetVolumes, makeVolumes, requireVolumes } from "./volumes.ts";

/** -v makes a missing source; --mount has refused it before. */
function makeBindSources(mounts: MountPoint[]): void {
  for (const { type, source } of mounts)
    if (type === "bind" && !exists(source)) {
      makeDirectories(source, 0o777);
      // Whatever the caller's umask is.
      setMode(source, 0o755);
    }
}

function preparationStep({ kind, ...preparation }: RootPreparation): FileStep | CloneStep {
  const { path } = preparation;
  return "from" in preparation
    ? { ...preparation, step: "clone", group: "storage", what: `make ${path} a copy of ${preparation.from}` }
    : { ...preparation, step: "directory", group: "storage", what: `make ${path}` };
}

/** The container's own directory. What a crash leaves of it belongs to no record and is swept. */
export function containerDirectories(engine: Engine, record: ContainerRecord): (FileStep | CloneStep)[] {
  const { directory } = containerPaths(engine.paths, record.id);
  const own: FileStep = {
    step: "directory",
    group: "storage",
    what: `make ${directory}`,
    why: "the container's own directory",
    path: directory,
    mode: 0o710,
  };
  const { storageSize, rootfs } = record.host;
  if (rootfs !== undefined && storageSize !== undefined)
    throw new BockerError("unsupported", "size= is not for --rootfs: the directory is yours");
  if (rootfs !== undefined) return [own];
  const preparations = engine.driver.prepareRoot(containerRoot(engine.paths, record), storageSize);
  return [own, ...preparations.map(preparationStep)];
}

/** Makes what lies on the disk of a container that is about to be recorded. The caller holds its lock. */
export function makeContainerFiles(engine: Engine, record: ContainerRecord, request: CreateRequest): void {
  engine.ensureDirectories();
  makeBindSources(request.mounts);
  for (const step of containerDirectories(engine, record))
    if (step.step === "clone") engine.driver.clone({ ...step, kind: "clone" });
    else performFileStep(step);
}

/** What the record names is on the disk before it (R2); each directory is on the disk when the one above it is (R3). */
function syncContainerFiles({ paths, driver }: Engine, id: string): void {
  // A copy of the image is many files.
  if (driver.layerForm === "tree") syncFilesystem(paths.containers);
  syncDirectory(containerPaths(paths, id).directory);
  syncDirectory(paths.containers);
}

/**
 * Makes a container's volumes and records it. The caller holds its lock, and has made its files.
 * @param passing nobody is told of it before it has ended and is removed: it need not be on the disk
 * @throws BockerError "conflict" for a name in use; the caller has to discardUnrecorded
 */
export async function recordContainer(
  engine: Engine,
  record: ContainerRecord,
  { image, mounts }: CreateRequest,
  passing: boolean,
): Promise<void> {
  // Else a name that is in use would leave its volumes.
  if (record.name !== "" && record.mounts.length > 0) engine.containers.requireFree(record.name);
  await makeVolumes(engine, record, new Set(mounts.map(({ name }) => name)), passing);
  if (!passing) syncContainerFiles(engine, record.id);
  const insert = () => {
    // Somebody may have removed it since it was looked up.
    if (image.id.startsWith("sha256:") && engine.images.get(image.id) === undefined)
      throw new BockerError("not-found", `No such image: ${image.reference}`);
    requireVolumes(engine, record);
    engine.containers.insert(record);
  };
  engine.transaction(insert, { passing });
}

/** Takes away what was made for a container that could not be recorded. Nobody may be starting it any more. */
export function discardUnrecorded(engine: Engine, record: ContainerRecord): void {
  const files = containerPaths(engine.paths, record.id);
  // By way of the trash, where two may delete the same at once: it belongs to no record.
  if (discard(engine.paths, files.directory, record.id)) deleteDiscarded(engine.paths, record.id);
  removeTree(files.run);
  destroyVolumes(
    engine.paths,
    engine.transaction(() => forgetVolumes(engine, record, false)),
  );
}

/**
 * Records a container and makes its directory and its volumes.
 * @throws BockerError "conflict" for a name in use, "invalid" for impossible settings
 */
export async function createContainer(engine: Engine, request: CreateRequest): Promise<ContainerRecord> {
  const record = newRecord(engine, request);
  // A container that could never start is not made.
  const { FreshStart } = await import("./fresh-start.ts");
  FreshStart.check(engine, record);
  // Until the record is there, the directory looks like one that a crash has left.
  const held = lock(engine.paths.locks, record.id);
  try {
    makeContainerFiles(engine, record, request);
    await recordContainer(engine, record, request, false);
    recordContainerEvents(engine, record, "create");
    return record;
  } catch (error) {
    discardUnrecorded(engine, record);
    throw error;
  } finally {
    held.release();
  }
}
