/** Blobs on their way to a registry: several at once, none that it has. */
import type { Digest } from "../base/digest.ts";
import type { Ingest } from "../images/store.ts";
import type { RegistryPusher } from "../registry/pusher.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { Engine } from "./engine.ts";
import { eachAtOnce } from "./several.ts";

/** Docker's max-concurrent-uploads. */
const CONCURRENCY = 5;

/** Docker's words for what happens to a layer; "Mounted from" is followed by a repository. */
export type PushStatus =
  | "Preparing"
  | "Pushing"
  | "Pushed"
  | "Layer already exists"
  | `Mounted from ${string}`;

export interface PushProgress {
  /** `diffId` is what Docker calls the layer by; `current` and `total` are compressed bytes. Called often. */
  layer(diffId: Digest, status: PushStatus, current?: number, total?: number): void;
}

export interface PushResult {
  digest: Digest;
  /** Bytes of the manifest. */
  size: number;
  /** The digest of the index of which only this image is here, and was pushed. */
  insteadOf?: Digest | undefined;
}

/** Whoever makes such a layer says where it comes from; registries do not take it (image-spec, media-types.md). */
export const isForeign = ({ mediaType }: Descriptor) => /nondistributable|foreign/.test(mediaType);

/** Where blobs come from, and where they go. */
export interface PushedContent {
  engine: Engine;
  pusher: RegistryPusher;
  /** Repositories of the same registry that have a blob: path by digest. */
  sources: ReadonlyMap<string, string>;
  report: PushProgress["layer"];
  /** Ends all transfers when one has failed. */
  abort: AbortController;
  /** Layers that were packed for this push, and are nobody else's. */
  packed?: ReadonlyMap<string, Ingest> | undefined;
}

export interface OutgoingContent {
  /** What it is called when it is reported. */
  id: Digest;
  descriptor: Descriptor;
}

/** Sends these; the same blob twice is sent once. */
export async function pushContent(content: PushedContent, blobs: readonly OutgoingContent[]): Promise<void> {
  const { report, abort } = content;
  const own = blobs.filter(({ descriptor }) => !isForeign(descriptor));
  for (const { id } of own) report(id, "Preparing");
  const queue = new Map(own.map((blob) => [blob.descriptor.digest, blob])).values();
  await eachAtOnce(
    queue,
    CONCURRENCY,
    async ({ id, descriptor }) => {
      const status = await pushBlob(content, descriptor, (sent) =>
        report(id, "Pushing", sent, descriptor.size),
      );
      report(id, status);
    },
    () => abort.abort(),
  );
}

/** Sends one, unless the registry has it, or takes it from another repository. */
export async function pushBlob(
  { engine, pusher, sources, packed }: PushedContent,
  { digest, size }: Descriptor,
  progress: (sent: number) => void,
): Promise<PushStatus> {
  if (await pusher.has(digest)) return "Layer already exists";
  const from = sources.get(digest);
  const own = packed?.get(digest);
  const chunks = (offset: number) => own?.stream(offset) ?? engine.content.stream(digest, offset);
  const blob = { digest, size, chunks };
  const mounted = await pusher.send(blob, from, progress);
  return mounted ? `Mounted from ${from}` : "Pushed";
}
