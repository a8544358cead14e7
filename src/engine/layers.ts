/**
 * The layers of one image on their way into the storage driver: several at once, each in a directory and a
 * blob that nobody sees, until `publish` gives all of them their names.
 *
 * Promises: after `abort`, or a crash at any moment before `publish`, no layer and no blob is there that was
 * not there before (a crash leaves unfinished ones, which removeUnfinished takes away). What is published is
 * complete, verified and on disk.
 */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import type { UnpackedLayer } from "../images/layer/unpack.ts";
import type { ExpectedBlob, Ingest } from "../images/store.ts";
import { AT_FDCWD, LOCK_EX, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from "../os/constants.ts";
import { close, flock, openat, syncfs, withFd } from "../os/files.ts";
import { MODES } from "./add-layer.ts";
import { chainIds } from "./chain.ts";
import { EarlySync } from "./early-sync.ts";
import type { Engine } from "./engine.ts";
import { withImageLock } from "./image-lock.ts";
import { CONCURRENCY, type PackedContent } from "./packed-content.ts";
import { publish, type UnpublishedLayer } from "./publish.ts";
import { eachAtOnce } from "./several.ts";
import { type Below, receive, sourceOf, unpackAhead } from "./unpack-ahead.ts";

/** Docker's words for what happens to a layer. */
export type LayerStatus =
  | "Pulling fs layer"
  | "Waiting"
  | "Downloading"
  | "Download complete"
  | "Extracting"
  | "Pull complete"
  | "Already exists";

/** `current` and `total` are compressed bytes. Called often. */
export type LayerListener = (index: number, status: LayerStatus, current?: number, total?: number) => void;

export interface LayerRequest {
  diffId: Digest;
  blob: ExpectedBlob;
  /** The compressed bytes; called only where they are not in the store. */
  source: () => AsyncIterable<Uint8Array>;
  /** The blob itself, complete and verified, where it has been received before: it is published as it is. */
  received?: Ingest | undefined;
}

interface Prepared {
  directory: string;
  /** Of `directory`, with an flock on it: it is in use. */
  fd: number;
  /** undefined where the blob was in the store already. */
  ingest: Ingest | undefined;
  unpacked: UnpackedLayer;
}

interface Slot {
  chain: Digest;
  request: LayerRequest;
  /** The blob, where it came before the layer below was there. */
  received: Ingest | undefined;
  /** "exists" in the driver, prepared, or neither yet. */
  outcome: "exists" | Prepared | undefined;
  settled: PromiseWithResolvers<void>;
}

function newSettled(): PromiseWithResolvers<void> {
  const settled = Promise.withResolvers<void>();
  // Whether anybody waits or not: a failure is reported by `prepare`.
  settled.promise.catch(() => undefined);
  return settled;
}

export class LayerStack {
  readonly #engine: Engine;
  readonly #slots: Slot[];
  readonly #listener: LayerListener;
  readonly #abort: AbortController;
  readonly #sync: EarlySync;
  /** Directories of existing layers that were looked into. */
  readonly #opened = new Map<Digest, number>();
  /** The lowest first. */
  readonly chain: Digest[];

  /**
   * @param requests the lowest layer first
   * @param abort ends the work from outside; and is aborted when one layer fails, so that the transfers of
   *   the others end
   */
  constructor(
    engine: Engine,
    requests: readonly LayerRequest[],
    listener: LayerListener,
    abort: AbortController,
  ) {
    this.#engine = engine;
    this.#listener = listener;
    this.#abort = abort;
    this.#sync = new EarlySync(engine.paths.containers);
    this.chain = chainIds(requests.map(({ diffId }) => diffId));
    this.#slots = requests.map((request, index) => ({
      chain: this.chain[index]!,
      request,
      received: request.received,
      outcome: undefined,
      settled: newSettled(),
    }));
  }

  /**
   * Fetches and unpacks what is missing; may be called again when `publish` returned false. Rejects with the
   * first failure, when nothing runs any more.
   */
  async prepare(): Promise<void> {
    const missing = this.#missing();
    for (const index of missing.slice(CONCURRENCY)) this.#listener(index, "Waiting");
    // From the bottom, so that a layer that has to wait for those below finds them begun.
    await eachAtOnce(
      missing,
      CONCURRENCY,
      (index) => this.#prepareOne(index),
      (error) => {
        for (const { settled } of this.#slots) settled.reject(error);
        this.#abort.abort();
      },
    );
    await this.#sync.end();
  }

  /** Bytes of files in all layers; known after `prepare`. */
  get size(): number {
    return this.#slots.reduce((total, { chain, outcome }) => {
      const prepared = typeof outcome === "object" ? outcome.unpacked.size : undefined;
      return total + (prepared ?? this.#engine.images.layer(chain)?.size ?? 0);
    }, 0);
  }

  /**
   * Gives layers, blobs and `documents` their names, then calls `record` in the transaction that records the
   * layers. All or nothing.
   * @param content published with them
   * @returns false, and nothing has happened, when something that was there at first is gone by now
   */
  publish(documents: readonly Uint8Array[], record: () => void, content?: PackedContent): boolean {
    const { paths } = this.#engine;
    // Once for all of them: a sync for each file would take longer than all the rest.
    if (this.#slots.some(({ outcome }) => typeof outcome === "object"))
      withFd(openat(AT_FDCWD, paths.containers, O_RDONLY | O_DIRECTORY), syncfs);
    return withImageLock(this.#engine, () => {
      if (this.#hasVanished() || content?.isWhole() === false) return false;
      const blobs = content?.ingests ?? [];
      publish(this.#engine, { layers: this.#prepared(), blobs, documents }, record);
      this.#release();
      return true;
    });
  }

  /** Whether a layer that was there, or the blob that one was made of, has been removed. Such a layer is to be prepared again. */
  #hasVanished(): boolean {
    let hasVanished = false;
    for (const slot of this.#slots) {
      if (slot.outcome === "exists" && this.#exists(slot.chain)) continue;
      if (typeof slot.outcome === "object" && (slot.outcome.ingest !== undefined || this.#isStored(slot)))
        continue;
      hasVanished = true;
      this.#discard(slot);
    }
    return hasVanished;
  }

  /** Removes a layer that has not been published. */
  #discard(slot: Slot): void {
    const { outcome } = slot;
    slot.outcome = undefined;
    if (typeof outcome !== "object") return;
    outcome.ingest?.abort();
    this.#engine.driver.abortLayer(outcome.directory);
    close(outcome.fd);
  }

  #isStored({ request: { blob } }: Slot): boolean {
    return this.#engine.content.size(blob.digest) === blob.size;
  }

  /** Removes everything that has not been published. */
  abort(): void {
    for (const slot of this.#slots) {
      if (slot.received !== slot.request.received) slot.received?.abort();
      if (typeof slot.outcome === "object") this.#discard(slot);
    }
    this.#closeOpened();
  }

  #prepared(): UnpublishedLayer[] {
    return this.#slots.flatMap(({ chain, outcome }) =>
      typeof outcome === "object" ? [{ ...outcome, chain }] : [],
    );
  }

  #missing(): number[] {
    const missing: number[] = [];
    for (const [index, slot] of this.#slots.entries()) {
      if (typeof slot.outcome === "object") continue;
      // Unpacked, but in another packed form: then this one is still to come.
      const exists = this.#exists(slot.chain) && this.#isStored(slot);
      slot.settled = newSettled();
      slot.outcome = exists ? "exists" : undefined;
      if (exists) slot.settled.resolve();
      else missing.push(index);
      this.#listener(index, exists ? "Already exists" : "Pulling fs layer");
    }
    return missing;
  }

  #release(): void {
    for (const slot of this.#slots) {
      if (typeof slot.outcome === "object") close(slot.outcome.fd);
      slot.outcome = "exists";
    }
    this.#closeOpened();
  }

  #closeOpened(): void {
    for (const fd of this.#opened.values()) close(fd);
    this.#opened.clear();
  }

  #exists(chain: Digest): boolean {
    return this.#engine.images.layer(chain) !== undefined && this.#engine.driver.hasLayer(chain);
  }

  /** From the store where it has the blob, else (or where that is damaged, or removed meanwhile) from the source. */
  async #prepareOne(index: number): Promise<void> {
    if (this.#isStored(this.#slots[index]!))
      try {
        await this.#prepareFrom(index, true);
        return;
      } catch (error) {
        if (!(error instanceof BockerError) || !["corrupt", "not-found"].includes(error.code)) throw error;
      }
    await this.#prepareFrom(index, false);
  }

  async #prepareFrom(index: number, isStored: boolean): Promise<void> {
    const { driver } = this.#engine;
    const slot = this.#slots[index]!;
    if (driver.layerForm === "tree") await this.#awaitParent(index, isStored);
    const { directory, fd } = withImageLock(this.#engine, () => {
      const begun = driver.beginLayer(driver.layerForm === "tree" ? this.#parentOf(index) : undefined);
      const opened = openat(AT_FDCWD, begun, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      flock(opened, LOCK_EX);
      return { directory: begun, fd: opened };
    });
    try {
      slot.outcome = { directory, fd, ...(await this.#fill(index, fd, isStored)) };
    } catch (error) {
      driver.abortLayer(directory);
      close(fd);
      throw error;
    }
    slot.settled.resolve();
    this.#sync.written(slot.outcome.unpacked.archiveSize);
    this.#listener(index, "Pull complete");
  }

  /** A layer that begins as a copy of the one below has to wait for that; what it is made of comes meanwhile. */
  async #awaitParent(index: number, isStored: boolean): Promise<void> {
    const slot = this.#slots[index]!;
    const below = this.#below(index);
    if (below.directories() !== undefined) return;
    if (!isStored && slot.received === undefined) {
      const { blob, source } = slot.request;
      slot.received = await receive(this.#engine.content.ingest(blob), {
        source: source(),
        expected: blob,
        progress: this.#progressOf(index),
        signal: this.#abort.signal,
      });
    }
    await below.wait();
  }

  /** The directory of the layer below, which is finished. Throws "conflict" if somebody has removed it meanwhile. */
  #parentOf(index: number): string | undefined {
    const parent = this.#slots[index - 1];
    if (parent === undefined) return undefined;
    if (typeof parent.outcome === "object") return parent.outcome.directory;
    if (!this.#exists(parent.chain))
      throw new BockerError("conflict", "the image's layers are removed by another process: try again");
    return this.#engine.driver.layerDirectory(parent.chain);
  }

  async #fill(
    index: number,
    directory: number,
    isStored: boolean,
  ): Promise<Pick<Prepared, "unpacked" | "ingest">> {
    const { content, driver } = this.#engine;
    const { request, received } = this.#slots[index]!;
    const { blob, diffId, source } = request;
    const common = {
      mode: MODES[driver.layerForm],
      expected: blob,
      diffId,
      directory,
      below: this.#below(index),
      progress: this.#progressOf(index),
      signal: this.#abort.signal,
    };
    if (isStored) {
      const again = () => content.stream(blob.digest);
      return {
        unpacked: await unpackAhead({ ...common, source: sourceOf(again()), again, ingest: undefined }),
        ingest: undefined,
      };
    }
    if (received !== undefined) {
      const again = () => received.stream();
      return {
        unpacked: await unpackAhead({ ...common, source: sourceOf(again()), again, ingest: undefined }),
        ingest: received,
      };
    }
    const ingest = content.ingest(blob);
    try {
      const unpacked = await unpackAhead({
        ...common,
        source: source(),
        again: () => ingest.stream(),
        ingest,
      });
      return { unpacked, ingest };
    } catch (error) {
      ingest.abort();
      throw error;
    }
  }

  #below(index: number): Below {
    return {
      directories: () => {
        const below = this.#slots.slice(0, index).reverse();
        if (below.some(({ outcome }) => outcome === undefined)) return undefined;
        return below.map(({ outcome, chain }) =>
          typeof outcome === "object" ? outcome.fd : this.#open(chain),
        );
      },
      wait: async () => {
        await Promise.all(this.#slots.slice(0, index).map(({ settled }) => settled.promise));
      },
    };
  }

  #open(chain: Digest): number {
    let fd = this.#opened.get(chain);
    if (fd === undefined) {
      fd = openat(AT_FDCWD, this.#engine.driver.layerDirectory(chain), O_RDONLY | O_DIRECTORY);
      this.#opened.set(chain, fd);
    }
    return fd;
  }

  #progressOf(index: number): (phase: string, current: number, total: number) => void {
    return (phase, current, total) => {
      if (phase === "Downloading") this.#listener(index, "Downloading", current, total);
      if (phase !== "Extracting") return;
      this.#listener(index, "Download complete");
      this.#listener(index, "Extracting", current, total);
    };
  }
}
