/** `pull`: an image from a registry. The place where the registry, the store and the driver meet. */
import { BockerError } from "../base/errors.ts";
import {
  familiarName,
  familiarReference,
  parseReference,
  type Reference,
  withDefaultTag,
} from "../base/reference.ts";
import { type FetchedManifest, RegistryClient } from "../registry/client.ts";
import { hasMirrors } from "../registry/endpoint.ts";
import { type ImagePlan, resolveImage } from "../registry/resolve.ts";
import { registrySettings } from "../registry/settings.ts";
import { isIndexType } from "../spec/media-types.ts";
import { abortable } from "./abortable.ts";
import type { Engine } from "./engine.ts";
import { recordImageEvent } from "./image-events.ts";
import { lockPull, removeUnfinished } from "./image-lock.ts";
import { platformsOf } from "./kept-index.ts";
import type { LayerStack } from "./layers.ts";
import {
  keptName,
  namesOf,
  type PullProgress,
  type PullResult,
  pullIndex,
  registryStack,
} from "./pull-index.ts";
import { freeLooseIndexes } from "./remove-image.ts";
import { storeImage } from "./store-image.ts";

export interface PullOptions {
  /**
   * os/arch[/variant]; without any an index is asked for this machine's. Of several, or of "all", the index itself is kept, too.
   */
  platforms?: readonly string[] | "all" | undefined;
  progress?: PullProgress | undefined;
  signal?: AbortSignal | undefined;
}

async function store(
  engine: Engine,
  plan: ImagePlan,
  stack: LayerStack,
  reference: Reference,
): Promise<Pick<PullResult, "record" | "status">> {
  const { tag, digest } = namesOf(reference, plan.digest);
  const before = tag === undefined ? engine.images.byDigest(digest) : engine.images.byTag(tag);
  const record = await storeImage(engine, plan, stack, { tags: tag === undefined ? [] : [tag], digest });
  return { record, status: before?.id === record.id ? "Image is up to date" : "Downloaded newer image" };
}

/**
 * Pulls an image: fetches what is missing of it, and gives it its name.
 *
 * After a failure, an interrupt (BockerError "interrupted") or a crash nothing of it is left, apart from
 * unfinished files that the next pull removes. Two pulls of one image at a time do the work once.
 *
 * @param reference as it is typed: "debian", "localhost:5000/a/b:1", "a@sha256:…"
 * @throws BockerError "invalid" (the reference or platform), "not-found", "denied", "registry", "corrupt",
 *   "unsupported", "no-space", "interrupted"
 */
export async function pullImage(
  engine: Engine,
  reference: string,
  options: PullOptions = {},
): Promise<PullResult> {
  const named = withDefaultTag(parseReference(reference));
  if (options.platforms !== "all") platformsOf(options.platforms ?? []);
  const mirrors = hasMirrors(named.domain) ? registrySettings(process.env).mirrors : [];
  const pulled = await pullFromAny(engine, named, [...mirrors, undefined], options);
  // The tag may have stood for another one.
  freeLooseIndexes(engine);
  return pulled;
}

/** From the first that has it; undefined is the registry itself, the last. */
async function pullFromAny(
  engine: Engine,
  named: Reference,
  [mirror, ...others]: readonly (URL | undefined)[],
  options: PullOptions,
): Promise<PullResult> {
  try {
    return await pullFrom(engine, named, mirror, options);
  } catch (error) {
    if (others.length === 0 || !isMirrorFault(error)) throw error;
    return pullFromAny(engine, named, others, options);
  }
}

/** Whether another server may do better. */
function isMirrorFault(error: unknown): boolean {
  return (
    error instanceof BockerError &&
    ["not-found", "denied", "registry", "corrupt", "unsupported"].includes(error.code)
  );
}

/** All tags of a repository, as its registry names them. */
export function repositoryTags(name: string, signal?: AbortSignal): Promise<string[]> {
  return abortable(signal, (abort) =>
    new RegistryClient(parseReference(name), { signal: abort.signal }).tags(),
  );
}

/** What is pulled where one platform is to be. Without an index several are one that is there. */
async function resolveOne(
  client: RegistryClient,
  named: Reference,
  top: FetchedManifest,
  platforms: readonly string[],
): Promise<ImagePlan> {
  for (const platform of platforms.slice(0, -1))
    try {
      return await resolveImage(client, named, platform, top);
    } catch (error) {
      if (!(error instanceof BockerError && error.code === "not-found")) throw error;
    }
  return resolveImage(client, named, platforms.at(-1), top);
}

function pullFrom(
  engine: Engine,
  named: Reference,
  mirror: URL | undefined,
  options: PullOptions,
): Promise<PullResult> {
  return abortable(options.signal, async (abort) => {
    const client = new RegistryClient(named, { signal: abort.signal, mirror });
    const top = await client.manifest(named.digest ?? named.tag!);
    const { platforms = [] } = options;
    if (isIndexType(top.mediaType)) {
      const isKept = keptName(engine, named, top.digest) !== undefined;
      if (platforms === "all" || platforms.length > 1 || isKept)
        return told(
          engine,
          await pullIndex(engine, client, { named, top, platforms, progress: options.progress, abort }),
        );
    }
    const wanted = platforms === "all" ? [] : platforms;
    return told(engine, await pullOne(engine, client, named, top, wanted, options.progress, abort));
  });
}

/** Says that something was pulled. */
function told(engine: Engine, result: PullResult): PullResult {
  const { record, reference } = result;
  recordImageEvent(engine, record, "pull", familiarReference(reference), familiarName(reference));
  return result;
}

async function pullOne(
  engine: Engine,
  client: RegistryClient,
  named: Reference,
  top: FetchedManifest,
  platforms: readonly string[],
  progress: PullProgress | undefined,
  abort: AbortController,
): Promise<PullResult> {
  const plan = await resolveOne(client, named, top, platforms);
  progress?.resolved(named);
  removeUnfinished(engine);
  const held = await lockPull(engine, plan.manifest.digest, abort.signal);
  const stack = registryStack(engine, client, plan, progress, abort);
  try {
    return { ...(await store(engine, plan, stack, named)), reference: named, digest: plan.digest };
  } finally {
    stack.abort();
    held.release();
  }
}
