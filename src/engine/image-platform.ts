/** --platform of commands that show an image or hand it out. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import { platformMatches } from "../registry/platform.ts";
import { formatPlatform, type Platform } from "../spec/descriptor.ts";
import { parseImageConfig } from "../spec/image-config.ts";
import type { ImageRecord } from "../state/images.ts";
import type { Engine } from "./engine.ts";
import { requireImageRecord } from "./image.ts";
import { entryFor, namedIndex, packedRecord } from "./kept-index.ts";

function isOfPlatform(engine: Engine, { id }: ImageRecord, wanted: Platform): boolean {
  const { os, architecture, variant } = parseImageConfig(engine.content.read(id as Digest));
  return platformMatches(wanted, { os, architecture, ...(variant === undefined ? {} : { variant }) });
}

/** Docker's words for an image that has nothing for a platform. */
export function lacksPlatform(reference: string, platform: Platform): BockerError {
  return new BockerError(
    "not-found",
    `image with reference ${reference} was found but does not provide the specified platform (${formatPlatform(platform)})`,
  );
}

/**
 * The image of a name or an id for a platform: its own, or that of the index that the name stands for. It may be packed; then the
 * record is what it would be, and nowhere in the database. Without a platform it is the name's own.
 * @throws BockerError "not-found", also for an image of another platform
 */
export function imageOfPlatform(
  engine: Engine,
  reference: string,
  platform: Platform | undefined,
): ImageRecord {
  const record = requireImageRecord(engine, reference);
  if (platform === undefined) return record;
  const index = namedIndex(engine, reference);
  const entry = index === undefined ? undefined : entryFor(index, platform);
  if (index !== undefined && entry !== undefined) {
    const own = engine.images.get(entry.image.id);
    return own?.manifest === entry.digest ? own : packedRecord(engine, index, entry);
  }
  if (index === undefined && isOfPlatform(engine, record, platform)) return record;
  throw lacksPlatform(reference, platform);
}
