/** `system df`: where the disk went, and what could come back. */
import type { Digest } from "../base/digest.ts";
import type { ContainerRecord, ContainerState } from "../spec/container.ts";
import type { ImageRecord } from "../state/images.ts";
import { stateReader } from "../state/status.ts";
import { type VolumeRecord, VolumeTable, volumeDirectory } from "../state/volumes.ts";
import { diskUsage } from "./disk-usage.ts";
import type { Engine } from "./engine.ts";
import { readReferences } from "./references.ts";
import { writtenBytes } from "./size.ts";
import { volumeUsers } from "./volume-commands.ts";

export interface ImageUsage {
  image: ImageRecord;
  /** Bytes of its layers that other images have, too; and of those that only it has. */
  shared: number;
  unique: number;
  containers: number;
}

export interface ContainerUsage {
  record: ContainerRecord;
  state: ContainerState;
  bytes: number;
}

export interface VolumeUsage {
  volume: VolumeRecord;
  links: number;
  bytes: number;
}

/** A kind of thing: how many there are and how many are in use; bytes of all, and of what is in use. */
export interface Usage {
  total: number;
  active: number;
  bytes: number;
  activeBytes: number;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

/** Bytes of layers that are on the disk once, however many images have them. */
function layerBytes(engine: Engine, images: readonly ImageRecord[]): number {
  const chains = new Set(images.flatMap(({ chain }) => chain));
  return sum([...chains].map((chain) => engine.images.layer(chain)?.size ?? 0));
}

function usersByImage(engine: Engine): Map<string, number> {
  const users = new Map<string, number>();
  for (const { imageId } of engine.containers.list()) users.set(imageId, (users.get(imageId) ?? 0) + 1);
  return users;
}

export function imageUsages(engine: Engine): ImageUsage[] {
  const images = engine.images.list();
  const users = usersByImage(engine);
  const owners = new Map<string, number>();
  for (const chain of images.flatMap((image) => [...new Set(image.chain)]))
    owners.set(chain, (owners.get(chain) ?? 0) + 1);
  return images.map((image) => {
    const sizeOf = (isShared: boolean) =>
      sum(
        image.chain
          .filter((chain) => (owners.get(chain) ?? 0) > 1 === isShared)
          .map((chain) => engine.images.layer(chain)?.size ?? 0),
      );
    return { image, shared: sizeOf(true), unique: sizeOf(false), containers: users.get(image.id) ?? 0 };
  });
}

export function containerUsages(engine: Engine): ContainerUsage[] {
  const stateOf = stateReader(engine.paths);
  return engine.containers
    .list()
    .map((record) => ({ record, state: stateOf(record.id), bytes: writtenBytes(engine, record) }));
}

export function volumeUsages(engine: Engine): VolumeUsage[] {
  const users = volumeUsers(engine);
  return new VolumeTable(engine.database).list().map((volume) => ({
    volume,
    links: users.get(volume.name)?.length ?? 0,
    bytes: diskUsage(volumeDirectory(engine.paths, volume.name)),
  }));
}

export function imageUsage(engine: Engine): Usage {
  const users = usersByImage(engine);
  const images = engine.images.list();
  const active = images.filter(({ id }) => users.has(id));
  return {
    total: images.length,
    active: active.length,
    bytes: layerBytes(engine, images),
    activeBytes: layerBytes(engine, active),
  };
}

/** Documents of images and their layers as registries have them: `push` and `save` hand them out byte for byte. */
export function contentUsage(engine: Engine): Usage {
  const needed = readReferences(engine).blobs;
  const digests = [...engine.content.digests()];
  const active = digests.filter((digest) => needed.has(digest));
  const bytesOf = (own: readonly Digest[]) => sum(own.map((digest) => engine.content.size(digest) ?? 0));
  return {
    total: digests.length,
    active: active.length,
    bytes: bytesOf(digests),
    activeBytes: bytesOf(active),
  };
}

function usageOf(things: readonly { bytes: number; active: boolean }[]): Usage {
  const active = things.filter((thing) => thing.active);
  return {
    total: things.length,
    active: active.length,
    bytes: sum(things.map(({ bytes }) => bytes)),
    activeBytes: sum(active.map(({ bytes }) => bytes)),
  };
}

export function containerUsage(engine: Engine): Usage {
  return usageOf(
    containerUsages(engine).map(({ bytes, state }) => ({ bytes, active: state.status === "running" })),
  );
}

export function volumeUsage(engine: Engine): Usage {
  return usageOf(volumeUsages(engine).map(({ bytes, links }) => ({ bytes, active: links > 0 })));
}
