/** The archive of a layer that was made here, which is kept as its files and what they lack (images/layer/tar-split.ts). */
import { type Digest, digestFromHex } from "../base/digest.ts";
import { createSha256 } from "../base/hash.ts";
import { inflate } from "../images/layer/inflate.ts";
import { restoredArchive } from "../images/layer/tar-split.ts";
import { AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../os/constants.ts";
import { close, openat } from "../os/files.ts";
import { exists } from "../os/host-files.ts";
import { inputChunks } from "../os/input-chunks.ts";
import type { ImageRecord } from "../state/images.ts";
import type { Engine } from "./engine.ts";

/** Can the archive of this layer be made again? */
export function isRestorable({ driver }: Engine, chain: string): boolean {
  return exists(driver.splitPath(driver.layerDirectory(chain)));
}

/** Digests of layers' blobs that an image needs, has not got, and cannot have. */
export function missingBlobs(engine: Engine, { blobs, chain }: ImageRecord): string[] {
  return blobs.filter(
    (digest, at) =>
      engine.content.size(digest as Digest) === undefined && !isRestorable(engine, chain[at] ?? ""),
  );
}

/** The archive in chunks. Throws "corrupt" where files are missing; whether it is the same, its digest says. */
export async function* layerArchive(
  { driver }: Engine,
  directory: string,
): AsyncGenerator<Buffer, void, void> {
  const fd = openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    yield* restoredArchive(inflate(inputChunks(driver.splitPath(directory))), fd);
  } finally {
    close(fd);
  }
}

/** What the archive of a layer hashes to now: its diff id, unless somebody has changed its files. */
export async function archiveDigest(engine: Engine, directory: string): Promise<Digest> {
  const hash = createSha256();
  for await (const chunk of layerArchive(engine, directory)) hash.update(chunk);
  return digestFromHex(hash.digest("hex"));
}
