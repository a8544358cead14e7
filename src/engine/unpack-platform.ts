/**
 * A platform of an image that is kept whole is unpacked when it is first run: most that are kept are only copied, and would
 * take several times the room for nothing (Docker's containerd store does the same).
 */
import { BockerError } from "../base/errors.ts";
import { formatPlatform, type Platform } from "../spec/descriptor.ts";
import type { ImageRecord } from "../state/images.ts";
import type { IndexRecord } from "../state/indexes.ts";
import { abortable } from "./abortable.ts";
import type { Engine } from "./engine.ts";
import { findImage, type ResolvedImage } from "./image.ts";
import { lockPull, removeUnfinished } from "./image-lock.ts";
import {
  changed,
  entryFor,
  namedIndex,
  type PlatformEntry,
  platformsOf,
  storedPlan,
  whileKept,
} from "./kept-index.ts";
import { LayerStack } from "./layers.ts";
import { storeImage } from "./store-image.ts";
import { sourceOf } from "./unpack-ahead.ts";

/** The image's record, which it gets with its layers unless it has both. @throws BockerError "corrupt" for a damaged blob */
export async function unpackPlatform(
  engine: Engine,
  index: IndexRecord,
  entry: PlatformEntry,
  signal?: AbortSignal,
): Promise<ImageRecord> {
  const own = engine.images.get(entry.image.id);
  if (own !== undefined) return own;
  removeUnfinished(engine);
  const plan = storedPlan(engine, index, entry);
  const requests = plan.layers.map(({ descriptor: { digest, size }, diffId }) => ({
    diffId,
    blob: { digest, size },
    source: () => sourceOf(engine.content.stream(digest)),
  }));
  return abortable(signal, async (abort) => {
    const held = await lockPull(engine, plan.manifest.digest, abort.signal);
    const stack = new LayerStack(engine, requests, () => undefined, abort);
    try {
      return await storeImage(engine, plan, stack, { tags: [] });
    } finally {
      stack.abort();
      held.release();
    }
  });
}

/** What `run --platform` takes of a name that stands for an index; undefined where it does not, or lacks the platform. */
export async function imageToRun(
  engine: Engine,
  reference: string,
  text: string,
  signal: AbortSignal,
): Promise<ResolvedImage | undefined> {
  const [platform] = platformsOf([text]) as [Platform];
  const index = namedIndex(engine, reference);
  const entry = index === undefined ? undefined : entryFor(index, platform);
  if (index === undefined || entry === undefined) return undefined;
  const { os } = entry.image.platform;
  if (os !== "linux")
    throw new BockerError("unsupported", `image operating system "${os}" cannot be used on this platform`);
  if (engine.dry && engine.images.get(entry.image.id) === undefined)
    throw new BockerError(
      "not-found",
      `${formatPlatform(platform)} of ${reference} is here, but packed: --explain shows what is done with an image that is unpacked; 'bocker create --platform' unpacks it`,
    );
  const unpack = () => unpackPlatform(engine, index, entry, signal);
  const { id } = engine.dry ? entry.image : await whileKept(engine, reference, index, unpack);
  const image = findImage(engine, id);
  if (image === undefined) throw changed(reference);
  return { ...image, reference };
}
