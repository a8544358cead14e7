/** A tar archive that this machine made or was given, as a layer: packed into the store and unpacked at once. */
import { chainId, type Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { LayerApplier } from "../images/layer/apply.ts";
import { CountingSink } from "../images/layer/counting-sink.ts";
import { packLayer } from "../images/layer/pack.ts";
import { TarReader } from "../images/layer/tar-reader.ts";
import type { ExpectedBlob } from "../images/store.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { openat, syncfs, withFdAsync } from "../os/files.ts";
import type { Engine } from "./engine.ts";

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

/**
 * Adds a layer on top of `parent` (a chain id; undefined for the lowest). When it returns, the layer and
 * its blob are on disk; when it throws, neither is left.
 */
export async function addLayer(
  engine: Engine,
  archive: Iterable<Buffer> | AsyncIterable<Buffer>,
  parent: string | undefined,
  signal?: AbortSignal,
): Promise<AddedLayer> {
  const { driver, images } = engine;
  const directory = driver.beginLayer();
  try {
    const fd = openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const { packed, size } = await withFdAsync(fd, async () => {
      const counting = new CountingSink(new LayerApplier(fd, { mode: "layer" }));
      const reader = new TarReader(counting);
      try {
        const packed = await packLayer(interruptible(archive, signal), engine.content, (chunk) =>
          reader.write(chunk),
        );
        reader.finish();
        counting.finish();
        syncfs(fd);
        return { packed, size: counting.size };
      } finally {
        counting.close();
      }
    });
    const chain = chainId(parent, packed.diffId);
    driver.commitLayer(directory, chain);
    images.addLayer({ chain, diff: packed.diffId, size });
    return { chain, diffId: packed.diffId, size, blob: packed.blob };
  } catch (error) {
    driver.abortLayer(directory);
    throw error;
  }
}
