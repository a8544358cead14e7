/** `pull`: an image from a registry. The place where the registry, the store and the driver meet. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import {
  formatReference,
  parseReference,
  type Reference,
  repositoryName,
  withDefaultTag,
} from "../base/reference.ts";
import { RegistryClient } from "../registry/client.ts";
import { type ImagePlan, resolveImage } from "../registry/resolve.ts";
import type { ImageRecord } from "../state/images.ts";
import type { Engine } from "./engine.ts";
import { lockPull, removeUnfinished } from "./image-lock.ts";
import { LayerStack, type LayerStatus } from "./layers.ts";

/** How often the layers of an image may be removed by others while it is being pulled. */
const VANISHED_MAX = 5;

export interface PullProgress {
  /** The manifest is there; the layers come next. */
  resolved(reference: Reference): void;
  /** `current` and `total` are compressed bytes. Called often. */
  layer(digest: Digest, status: LayerStatus, current?: number, total?: number): void;
}

export interface PullOptions {
  /** os/arch[/variant]; without it an index is asked for this machine's. */
  platform?: string | undefined;
  progress?: PullProgress | undefined;
  signal?: AbortSignal | undefined;
}

export interface PullResult {
  record: ImageRecord;
  /** Normalised, with its tag. */
  reference: Reference;
  /** What the reference points to at the registry: an index's digest where it is one. */
  digest: Digest;
  status: "Downloaded newer image" | "Image is up to date";
}

const NO_DATE = "0001-01-01T00:00:00Z";

/** Images are listed by it, so it has to be a time; Docker shows the year 1 for none. */
function createdOf(text: string | null | undefined): string {
  const isTime = typeof text === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text);
  return isTime && !Number.isNaN(Date.parse(text)) ? text : NO_DATE;
}

function recordOf(plan: ImagePlan, stack: LayerStack): ImageRecord {
  const { created, architecture, os } = plan.config.document;
  return {
    id: plan.config.digest,
    created: createdOf(created),
    architecture,
    os,
    manifest: plan.manifest.digest,
    chain: stack.chain,
    size: stack.size,
    blobs: plan.layers.map(({ descriptor }) => descriptor.digest),
    config: plan.config.document.config ?? {},
  };
}

/** The names that the image gets. With both tag and digest the digest counts, as Docker does it. */
function namesOf(reference: Reference, digest: Digest): { tag: string | undefined; digest: string } {
  const tag = reference.digest === undefined ? formatReference(reference) : undefined;
  return { tag, digest: `${repositoryName(reference)}@${digest}` };
}

async function store(
  engine: Engine,
  plan: ImagePlan,
  stack: LayerStack,
  reference: Reference,
): Promise<Pick<PullResult, "record" | "status">> {
  const { images } = engine;
  const names = namesOf(reference, plan.digest);
  const before = names.tag === undefined ? images.byDigest(names.digest) : images.byTag(names.tag);
  for (let attempt = 0; attempt < VANISHED_MAX; attempt++) {
    await stack.prepare();
    const record = recordOf(plan, stack);
    const published = stack.publish([plan.config.bytes, plan.manifest.bytes], () => {
      images.insert(record);
      if (names.tag !== undefined) images.setTag(names.tag, record.id);
      images.setDigest(names.digest, record.id);
    });
    if (published)
      return { record, status: before?.id === record.id ? "Image is up to date" : "Downloaded newer image" };
  }
  throw new BockerError("conflict", "the image's layers are removed again and again by another process");
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
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  if (options.signal?.aborted === true) interrupt();
  options.signal?.addEventListener("abort", interrupt, { once: true });
  const client = new RegistryClient(named, { signal: abort.signal });
  try {
    const plan = await resolveImage(client, named, options.platform);
    options.progress?.resolved(named);
    removeUnfinished(engine);
    const held = await lockPull(engine, plan.manifest.digest, abort.signal);
    const requests = plan.layers.map(({ descriptor, diffId }) => ({
      diffId,
      blob: { digest: descriptor.digest, size: descriptor.size },
      source: () => client.blob(descriptor.digest, descriptor.size),
    }));
    const stack = new LayerStack(
      engine,
      requests,
      (index, status, current, total) =>
        options.progress?.layer(requests[index]!.blob.digest, status, current, total),
      abort,
    );
    try {
      return { ...(await store(engine, plan, stack, named)), reference: named, digest: plan.digest };
    } finally {
      stack.abort();
      held.release();
    }
  } finally {
    options.signal?.removeEventListener("abort", interrupt);
  }
}
