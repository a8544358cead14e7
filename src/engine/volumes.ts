/** Volumes as containers need them: made when first named, filled from the image, removed with their container. */
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { newId } from "../base/ids.ts";
import { LayerApplier } from "../images/layer/apply.ts";
import { diffUpper } from "../images/layer/diff.ts";
import { layerPath } from "../images/layer/layer-path.ts";
import { LowerLayers } from "../images/layer/lower-layers.ts";
import { TarReader } from "../images/layer/tar-reader.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { close, openat, withFd } from "../os/files.ts";
import { fchmod, fchown, fstat } from "../os/metadata.ts";
import type { ContainerRecord, MountPoint } from "../spec/container.ts";
import { lock } from "../state/locks.ts";
import type { Paths } from "../state/paths.ts";
import { deleteDiscarded, discard } from "../state/trash.ts";
import { VolumeTable, volumeDirectory } from "../state/volumes.ts";
import { type Engine, timestamp } from "./engine.ts";

/** Makes the volume if it is missing; its directory either way. */
function ensureVolume(engine: Engine, name: string, anonymous: boolean): string {
  const directory = volumeDirectory(engine.paths, name);
  mkdirSync(directory, { recursive: true, mode: 0o701 });
  const isNew = new VolumeTable(engine.database).insert({
    name,
    created: timestamp(),
    labels: {},
    anonymous,
  });
  if (isNew) chmodSync(directory, 0o755);
  return directory;
}

/**
 * Fills an empty volume with what the image has at the mount's place, as Docker does: files of all
 * layers merged, and the directory's owner and mode.
 */
function fillFromImage(layers: string[], destination: string, directory: string): void {
  if (readdirSync(directory).length > 0) return;
  const roots = layers.map((layer) => openat(AT_FDCWD, layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const sources: number[] = [];
  try {
    sources.push(...new LowerLayers(roots).directories(layerPath(Buffer.from(destination))));
    const [top] = sources;
    if (top === undefined) return;
    withFd(openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), (target) => {
      for (const source of [...sources].reverse()) {
        const applier = new LayerApplier(target, { mode: "rootfs" });
        try {
          const reader = new TarReader(applier);
          for (const chunk of diffUpper(source, { oneFileSystem: true })) reader.write(chunk);
          reader.finish();
          applier.finish();
        } finally {
          applier.close();
        }
      }
      const { uid, gid, mode } = fstat(top);
      fchown(target, uid, gid);
      fchmod(target, mode & 0o7777);
    });
  } finally {
    for (const fd of [...sources, ...roots]) close(fd);
  }
}

/** The mounts with every volume named and in its place; those that the image declares are added. Makes nothing. */
export function placedVolumes(paths: Paths, mounts: MountPoint[], declared: string[]): MountPoint[] {
  const taken = new Set(mounts.map(({ destination }) => destination));
  const implied = declared
    .filter((destination) => destination.startsWith("/") && !taken.has(destination))
    .map(
      (destination): MountPoint => ({
        type: "volume",
        name: "",
        source: "",
        destination,
        readOnly: false,
        options: [],
        propagation: "",
      }),
    );
  return [...mounts, ...implied].map((mount) => {
    if (mount.type !== "volume") return mount;
    const name = mount.name === "" ? newId() : mount.name;
    return { ...mount, name, source: volumeDirectory(paths, name) };
  });
}

/** Makes and fills a container's volumes. Those not in `named` are its own and go with it. */
export function makeVolumes(engine: Engine, record: ContainerRecord, named: ReadonlySet<string>): void {
  for (const { type, name, destination } of record.mounts) {
    if (type !== "volume") continue;
    const held = lock(engine.paths.locks, `volume-${name}`);
    try {
      fillFromImage(record.layers, destination, ensureVolume(engine, name, !named.has(name)));
    } finally {
      held?.release();
    }
  }
}

/** Removes a removed container's anonymous volumes that no other container uses. */
export function removeAnonymousVolumes(engine: Engine, record: ContainerRecord): void {
  if (!record.mounts.some(({ type }) => type === "volume")) return;
  const volumes = new VolumeTable(engine.database);
  const used = new Set(
    engine.containers
      .list()
      .flatMap(({ id, mounts }) => (id === record.id ? [] : mounts.map(({ name }) => name))),
  );
  for (const { type, name } of record.mounts) {
    if (type !== "volume" || used.has(name) || volumes.get(name)?.anonymous !== true) continue;
    volumes.delete(name);
    if (discard(engine.paths, `${engine.paths.volumes}/${name}`, `volume-${name}`))
      deleteDiscarded(engine.paths, `volume-${name}`);
  }
}
