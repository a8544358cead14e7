/**
 * Unpacking a layer before the layers below it are there.
 *
 * Most layers need not look at them. One that does (a hard link to a file of theirs, a directory that is
 * only implied) is downloaded to its end, and unpacked again, from what was downloaded, when they are.
 */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import type { ApplyOptions } from "../images/layer/apply.ts";
import { type LayerProgress, type UnpackedLayer, unpackLayer } from "../images/layer/unpack.ts";
import type { ExpectedBlob, Ingest } from "../images/store.ts";

/** The layers below, as far as they are there. */
export interface Below {
  /** Their directories, topmost first; undefined while one of them is being filled. */
  directories(): number[] | undefined;
  /** Resolves when all of them are filled. */
  wait(): Promise<void>;
}

export interface AheadRequest {
  source: AsyncIterable<Uint8Array>;
  expected: ExpectedBlob;
  diffId: Digest;
  /** An empty directory. */
  directory: number;
  /** Gets the bytes of `source`; undefined where they are stored already. */
  ingest: Ingest | undefined;
  /** The bytes of `source` once more, after all of them came. */
  again: () => Iterable<Uint8Array>;
  mode: ApplyOptions["mode"];
  below: Below;
  progress: LayerProgress;
  signal: AbortSignal;
}

/** As an asynchronous source. */
export async function* sourceOf(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  yield* chunks;
}

/** A source that one reader can leave early and another continue. */
function resumable(iterator: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) };
}

/** Takes what the reader left of the source, which `ingest` has not seen. */
async function drain(iterator: AsyncIterator<Uint8Array>, request: AheadRequest): Promise<void> {
  const { ingest, expected, progress } = request;
  if (ingest === undefined) return;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    ingest.write(next.value);
    progress("Downloading", ingest.size, expected.size);
  }
  ingest.verify();
  progress("Extracting", expected.size, expected.size);
}

/** A blob whose layer cannot be unpacked yet: all of it, verified. */
export async function receive(
  ingest: Ingest,
  { source, expected, progress, signal }: Pick<AheadRequest, "source" | "expected" | "progress" | "signal">,
): Promise<Ingest> {
  try {
    for await (const chunk of source) {
      if (signal.aborted) throw new BockerError("interrupted", "interrupted");
      ingest.write(chunk);
      progress("Downloading", ingest.size, expected.size);
    }
    ingest.verify();
    return ingest;
  } catch (error) {
    ingest.abort();
    throw error;
  }
}

/** As unpackLayer, whose promises hold here, too. */
export async function unpackAhead(request: AheadRequest): Promise<UnpackedLayer> {
  const { expected, diffId, directory, ingest, below, signal, progress, mode } = request;
  const iterator = request.source[Symbol.asyncIterator]();
  const common = { expected, diffId, directory, signal, mode };
  let mustWait = false;
  const lowers = () => {
    const directories = below.directories();
    mustWait = directories === undefined;
    if (directories === undefined) throw new BockerError("internal", "the layers below are not there yet");
    return directories;
  };
  try {
    return await unpackLayer({
      ...common,
      source: resumable(iterator),
      lowers,
      progress,
      ...(ingest === undefined ? {} : { ingest }),
    });
  } catch (error) {
    if (!mustWait) throw error;
    await drain(iterator, request);
    await below.wait();
    return await unpackLayer({ ...common, source: sourceOf(request.again()), lowers });
  } finally {
    await iterator.return?.();
  }
}
