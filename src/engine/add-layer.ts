/** A tar archive that this machine made or was given, as a layer: packed into the store and unpacked at once. */
import { existsSync } from "node:fs";
import { type Digest, digestOf } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { LayerApplier } from "../images/layer/apply.ts";
import { CountingSink } from "../images/layer/counting-sink.ts";
import { type PackedLayer, packLayer } from "../images/layer/pack.ts";
import { TarReader } from "../images/layer/tar-reader.ts";
import type { ExpectedBlob, Ingest } from "../images/store.ts";
import { AT_FDCWD, LOCK_EX, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../os/constants.ts";
import { close, flock, openat, syncfs } from "../os/files.ts";
import type { Engine } from "./engine.ts";
import { removeUnfinished, withImageLock } from "./image-lock.ts";

export interface AddedLayer {
  chain: string;
  diffId: Digest;
  /** Bytes of its files. */
  size: number;
  blob: ExpectedBlob;
}

/** Stops between two chunks once the signal is there. */
async function* interruptible(
  archive: Iterable<Buffer> | AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of archive) {
    if (signal?.aborted === true) throw new BockerError("interrupted", "interrupted");
    yield chunk;
  }
}

interface Prepared {
  packed: PackedLayer;
  size: number;
}

async function unpackWhilePacking(
  engine: Engine,
  archive: AsyncIterable<Buffer>,
  directory: number,
): Promise<Prepared> {
  const counting = new CountingSink(new LayerApplier(directory, { mode: "layer" }));
  const reader = new TarReader(counting);
  try {
    const packed = await packLayer(archive, engine.content, (chunk) => reader.write(chunk));
    try {
      reader.finish();
      counting.finish();
      syncfs(directory);
    } catch (error) {
      packed.ingest.abort();
      throw error;
    }
    return { packed, size: counting.size };
  } finally {
    counting.close();
  }
}

/**
 * Adds a layer on top of `parent` (a chain id; undefined for the lowest), and calls `record`, which makes
 * what refers to it, under the lock of all images. When this throws, neither layer nor blob is left.
 */
export async function addLayer<T>(
  engine: Engine,
  archive: Iterable<Buffer> | AsyncIterable<Buffer>,
  parent: string | undefined,
  signal: AbortSignal | undefined,
  record: (layer: AddedLayer) => T,
): Promise<T> {
  const { driver, images } = engine;
  removeUnfinished(engine);
  const { directory, fd } = withImageLock(engine, () => {
    const begun = driver.beginLayer();
    const opened = openat(AT_FDCWD, begun, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    flock(opened, LOCK_EX);
    return { directory: begun, fd: opened };
  });
  let ingest: Ingest | undefined;
  try {
    const { packed, size } = await unpackWhilePacking(engine, interruptible(archive, signal), fd);
    ingest = packed.ingest;
    const { diffId, blob } = packed;
    const chain = parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
    return withImageLock(engine, () => {
      packed.ingest.commit();
      driver.commitLayer(directory, chain);
      images.addLayer({ chain, diff: diffId, size });
      return record({ chain, diffId, size, blob });
    });
  } catch (error) {
    ingest?.abort();
    if (existsSync(directory)) driver.abortLayer(directory);
    throw error;
  } finally {
    close(fd);
  }
}
