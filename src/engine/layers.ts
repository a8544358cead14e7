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
import { chainIds } from "./chain.ts";
import type { Engine } from "./engine.ts";
import { withImageLock } from "./image-lock.ts";
import { publish, type UnpublishedLayer } from "./publish.ts";
import { type Below, sourceOf, unpackAhead } from "./unpack-ahead.ts";

/** Docker's max-concurrent-downloads. */
const CONCURRENCY = 3;

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
    this.chain = chainIds(requests.map(({ diffId }) => diffId));
    this.#slots = requests.map((request, index) => ({
      chain: this.chain[index]!,
      request,
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
    const queue = missing.values();
    const failures: unknown[] = [];
    const work = async () => {
      for (const index of queue) {
        if (failures.length > 0) return;
        try {
          await this.#prepareOne(index);
        } catch (error) {
          failures.push(error);
          for (const { settled } of this.#slots) settled.reject(error);
          this.#abort.abort();
        }
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
    if (failures.length > 0) throw failures[0];
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
   * @returns false, and nothing has happened, when a layer that was there at first is gone by now
   */
  publish(documents: readonly Uint8Array[], record: () => void): boolean {
    const { paths } = this.#engine;
    // Once for all of them: a sync for each file would take longer than all the rest.
    if (this.#slots.some(({ outcome }) => typeof outcome === "object"))
      withFd(openat(AT_FDCWD, paths.layers, O_RDONLY | O_DIRECTORY), syncfs);
    return withImageLock(this.#engine, () => {
      if (this.#slots.some(({ chain, outcome }) => outcome === "exists" && !this.#exists(chain)))
        return false;
      publish(this.#engine, this.#prepared(), documents, record);
      this.#release();
      return true;
    });
  }

  /** Removes everything that has not been published. */
  abort(): void {
    for (const slot of this.#slots) {
      if (typeof slot.outcome !== "object") continue;
      slot.outcome.ingest?.abort();
      this.#engine.driver.abortLayer(slot.outcome.directory);
      close(slot.outcome.fd);
      slot.outcome = undefined;
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
      const exists = this.#exists(slot.chain);
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

  async #prepareOne(index: number): Promise<void> {
    const { driver } = this.#engine;
    const { directory, fd } = withImageLock(this.#engine, () => {
      const begun = driver.beginLayer();
      const opened = openat(AT_FDCWD, begun, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      flock(opened, LOCK_EX);
      return { directory: begun, fd: opened };
    });
    const slot = this.#slots[index]!;
    try {
      slot.outcome = { directory, fd, ...(await this.#fill(index, fd)) };
    } catch (error) {
      driver.abortLayer(directory);
      close(fd);
      throw error;
    }
    slot.settled.resolve();
    this.#listener(index, "Pull complete");
  }

  /** From the store where it has the blob, else (or where that is damaged) from the source. */
  async #fill(index: number, directory: number): Promise<Pick<Prepared, "unpacked" | "ingest">> {
    const { content } = this.#engine;
    const { blob, diffId, source } = this.#slots[index]!.request;
    const common = {
      expected: blob,
      diffId,
      directory,
      below: this.#below(index),
      progress: this.#progressOf(index),
      signal: this.#abort.signal,
    };
    if (content.size(blob.digest) === blob.size) {
      const again = () => content.stream(blob.digest);
      try {
        const unpacked = await unpackAhead({
          ...common,
          source: sourceOf(again()),
          again,
          ingest: undefined,
        });
        return { unpacked, ingest: undefined };
      } catch (error) {
        if (!(error instanceof BockerError) || error.code !== "corrupt") throw error;
      }
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
