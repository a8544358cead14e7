/** A tar archive that this machine made or was given, as a layer. */

import { type Digest, digestFromHex, digestOf } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { createSha256 } from "../base/hash.ts";
import { untilAborted } from "../base/until-aborted.ts";
import { LayerApplier } from "../images/layer/apply.ts";
import { CountingSink } from "../images/layer/counting-sink.ts";
import { diffUpper, treeToTar } from "../images/layer/diff.ts";
import { batched } from "../images/layer/pack.ts";
import { TarReader } from "../images/layer/tar-reader.ts";
import { SplitRecorder } from "../images/layer/tar-split.ts";
import {
  AT_FDCWD,
  LOCK_EX,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
} from "../os/constants.ts";
import { close, flock, openat, syncfs, writeAll } from "../os/files.ts";
import { exists } from "../os/host-files.ts";
import { isSystemError } from "../os/system-error.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { OCI_LAYER } from "../spec/media-types.ts";
import { EarlySync } from "./early-sync.ts";
import type { Engine } from "./engine.ts";
import { removeUnfinished, withImageLock } from "./image-lock.ts";
import { archiveDigest } from "./layer-archive.ts";

export interface AddedLayer {
  chain: string;
  diffId: Digest;
  /** Bytes of its files. */
  size: number;
  /** Of its archive, uncompressed. */
  descriptor: Descriptor;
}

/** How an archive becomes a directory of each form. */
export const MODES = { changes: "layer", tree: "rootfs" } as const;

interface Unpacked {
  diffId: Digest;
  archiveSize: number;
  /** Bytes of its files. */
  size: number;
  /** No name of it stands for what another has written. */
  isDistinct: boolean;
}

/** Unpacks an archive, and writes beside the directory what it takes to make the same archive of the files again. */
async function unpack(
  engine: Engine,
  archive: AsyncIterable<Buffer>,
  directory: string,
  fd: number,
): Promise<Unpacked> {
  const counting = new CountingSink(new LayerApplier(fd, { mode: MODES[engine.driver.layerForm] }));
  const hash = createSha256();
  let archiveSize = 0;
  const sync = new EarlySync(directory);
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  const split = openat(AT_FDCWD, engine.driver.splitPath(directory), flags, 0o600);
  try {
    const recorder = new SplitRecorder(counting, (bytes) => writeAll(split, bytes));
    const reader = new TarReader(recorder);
    for await (const block of batched(archive)) {
      hash.update(block);
      archiveSize += block.length;
      await recorder.write(reader, block);
      sync.written(block.length);
    }
    reader.finish();
    await recorder.finish();
    counting.finish();
    await sync.end();
    const isDistinct = recorder.names.areDistinct;
    return { diffId: digestFromHex(hash.digest("hex")), archiveSize, size: counting.size, isDistinct };
  } catch (error) {
    if (isSystemError(error, "ENOSPC", "EDQUOT"))
      throw new BockerError("no-space", `cannot store the image: ${error.message}`, { cause: error });
    throw error;
  } finally {
    close(split);
    counting.close();
  }
}

/** A layer that was begun: nobody else's as long as `fd` is open. */
interface Begun {
  directory: string;
  fd: number;
}

function begin(engine: Engine, parent: string | undefined): Begun {
  const { driver } = engine;
  return withImageLock(engine, () => {
    const directory = driver.beginLayer(parent === undefined ? undefined : driver.layerDirectory(parent));
    const fd = openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    flock(fd, LOCK_EX);
    return { directory, fd };
  });
}

function abort(engine: Engine, { directory, fd }: Begun): void {
  if (exists(directory)) engine.driver.abortLayer(directory);
  close(fd);
}

/** An archive and the layer that it was unpacked to, from which it can be made again. */
interface Added extends Begun, Unpacked {}

async function unpackNew(
  engine: Engine,
  archive: Iterable<Buffer> | AsyncIterable<Buffer>,
  parent: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Added> {
  const begun = begin(engine, parent);
  try {
    return { ...begun, ...(await unpack(engine, untilAborted(archive, signal), begun.directory, begun.fd)) };
  } catch (error) {
    abort(engine, begun);
    throw error;
  }
}

/**
 * The same for an archive of whatever origin. One that cannot be made again of the files it was unpacked to, since it has
 * a name twice or more than one way to a file, is replaced by that which the files make. Where that is not certain, it is tried.
 */
async function unpackForeign(
  engine: Engine,
  archive: Iterable<Buffer> | AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): Promise<Added> {
  const first = await unpackNew(engine, archive, undefined, signal);
  if (first.isDistinct) return first;
  let isKept = false;
  try {
    const again = await archiveDigest(engine, first.directory).catch((error: unknown) => {
      if (error instanceof BockerError && error.code === "corrupt") return undefined;
      throw error;
    });
    isKept = again === first.diffId;
    if (isKept) return first;
    const files = engine.driver.layerForm === "changes" ? diffUpper(first.fd) : treeToTar(first.fd);
    return await unpackNew(engine, files, undefined, signal);
  } finally {
    if (!isKept) abort(engine, first);
  }
}

/** Where an archive comes from: made here of files, so that no name is in it twice, or whoever made it. */
export type ArchiveOrigin = "own" | "foreign";

/**
 * Adds a layer on top of `parent` (a chain id; undefined for the lowest), and calls `record`, which makes
 * what refers to it, under the lock of all images. It is not packed: its archive is made again when it leaves this machine
 * (pack-image.ts). When this throws, no layer is left.
 */
export async function addLayer<T>(
  engine: Engine,
  archive: Iterable<Buffer> | AsyncIterable<Buffer>,
  origin: ArchiveOrigin,
  parent: string | undefined,
  signal: AbortSignal | undefined,
  record: (layer: AddedLayer) => T,
): Promise<T> {
  const { driver, images } = engine;
  removeUnfinished(engine);
  const added =
    origin === "own"
      ? await unpackNew(engine, archive, parent, signal)
      : await unpackForeign(engine, archive, signal);
  try {
    const { directory, diffId, size, archiveSize } = added;
    syncfs(added.fd);
    const chain = parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
    return withImageLock(engine, () => {
      driver.commitLayer(directory, chain);
      // On the disk with the record of its image, which is written next: alone it is nothing.
      engine.transaction(() => images.addLayer({ chain, diff: diffId, size }), { passing: true });
      return record({
        chain,
        diffId,
        size,
        descriptor: { mediaType: OCI_LAYER, digest: diffId, size: archiveSize },
      });
    });
  } catch (error) {
    if (exists(added.directory)) driver.abortLayer(added.directory);
    throw error;
  } finally {
    close(added.fd);
  }
}
