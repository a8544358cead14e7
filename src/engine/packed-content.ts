/**
 * Blobs that come into the store packed, and stay so: layers of platforms that nobody has run, and what is no layer.
 *
 * Promises: until `publish` (publish.ts) gives them their names nobody sees them; after `abort`, or a crash, none is there
 * that was not there before. What is published is complete and verified.
 */
import type { Digest } from "../base/digest.ts";
import type { ExpectedBlob, Ingest } from "../images/store.ts";
import type { Engine } from "./engine.ts";
import { eachAtOnce } from "./several.ts";
import { receive } from "./unpack-ahead.ts";

/** Docker's max-concurrent-downloads. */
export const CONCURRENCY = 3;

export interface ContentRequest {
  blob: ExpectedBlob;
  /** The bytes; called only where they are not in the store. */
  source: () => AsyncIterable<Uint8Array>;
  /** The blob itself, complete and verified, where it has been received before. */
  received?: Ingest | undefined;
}

/** `current` and `total` are bytes. Called often. */
export type ContentListener = (
  digest: Digest,
  status: "Pulling fs layer" | "Downloading" | "Download complete" | "Already exists",
  current?: number,
  total?: number,
) => void;

export class PackedContent {
  readonly #engine: Engine;
  readonly #requests: Map<Digest, ContentRequest>;
  readonly #listener: ContentListener;
  readonly #abort: AbortController;
  readonly #fetched = new Map<Digest, Ingest>();
  /** Digests of what the last `fetch` left to somebody else. */
  #except: ReadonlySet<string> = new Set();

  /** @param requests the same blob may be asked for twice */
  constructor(
    engine: Engine,
    requests: readonly ContentRequest[],
    listener: ContentListener,
    abort: AbortController,
  ) {
    this.#engine = engine;
    this.#requests = new Map(requests.map((request) => [request.blob.digest, request]));
    this.#listener = listener;
    this.#abort = abort;
  }

  /** Gets what the store lacks. May be called again when something has been removed meanwhile. */
  async fetch(except: ReadonlySet<string>): Promise<void> {
    this.#except = except;
    const missing = this.#own().filter((digest) => !this.#isStored(digest) && !this.#fetched.has(digest));
    const isMissing = new Set(missing);
    for (const digest of this.#own())
      this.#listener(digest, isMissing.has(digest) ? "Pulling fs layer" : "Already exists");
    await eachAtOnce(
      missing,
      CONCURRENCY,
      (digest) => this.#fetchOne(digest),
      () => this.#abort.abort(),
    );
  }

  async #fetchOne(digest: Digest): Promise<void> {
    const { blob, source, received } = this.#requests.get(digest)!;
    const progress = (_: string, current: number, total: number) =>
      this.#listener(digest, "Downloading", current, total);
    const ingest =
      received ??
      (await receive(this.#engine.content.ingest(blob), {
        source: source(),
        expected: blob,
        progress,
        signal: this.#abort.signal,
      }));
    this.#fetched.set(digest, ingest);
    this.#listener(digest, "Download complete");
  }

  /** What is to be published. */
  get ingests(): Ingest[] {
    return this.#own().flatMap((digest) => (this.#isStored(digest) ? [] : (this.#fetched.get(digest) ?? [])));
  }

  /** Whether all is here, in the store or fetched. Hold the lock of all images as long as it has to be true. */
  isWhole(): boolean {
    return this.#own().every((digest) => this.#isStored(digest) || this.#fetched.has(digest));
  }

  /** Removes everything that has not been published. */
  abort(): void {
    for (const [digest, ingest] of this.#fetched)
      if (ingest !== this.#requests.get(digest)?.received) ingest.abort();
    this.#fetched.clear();
  }

  #own(): Digest[] {
    return [...this.#requests.keys()].filter((digest) => !this.#except.has(digest));
  }

  #isStored(digest: Digest): boolean {
    return this.#engine.content.size(digest) === this.#requests.get(digest)!.blob.size;
  }
}
