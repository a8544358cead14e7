/** Input that is given up on when somebody asks for it, also while there is none. */
import { BockerError } from "./errors.ts";

function iteratorOf<T>(source: Iterable<T> | AsyncIterable<T>): Iterator<T> | AsyncIterator<T> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

/**
 * What comes of `source`, until `signal` is aborted.
 *
 * A source that gives nothing then is left: it ends when what it waits for comes, or the process ends.
 * @throws BockerError "interrupted"
 */
export async function* untilAborted<T>(
  source: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, void> {
  const iterator = iteratorOf(source);
  let giveUp = () => {};
  const onAbort = () => giveUp();
  signal?.addEventListener("abort", onAbort);
  try {
    for (;;) {
      // One promise for each piece: what waits for one of the signal's would pile up there.
      const next = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        giveUp = () => reject(new BockerError("interrupted", "interrupted"));
        if (signal?.aborted === true) giveUp();
        else Promise.resolve(iterator.next()).then(resolve, reject);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    // Not waited for, as what is left would not answer.
    Promise.resolve(iterator.return?.()).catch(() => {});
  }
}
