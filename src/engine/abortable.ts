/** Work that is ended from outside, and ends all of its parts when one of them fails. */
import { BockerError } from "../base/errors.ts";

/** Runs `action` with a controller of its own that `signal` aborts, too. */
export async function abortable<T>(
  signal: AbortSignal | undefined,
  action: (abort: AbortController) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  if (signal?.aborted === true) interrupt();
  signal?.addEventListener("abort", interrupt, { once: true });
  try {
    return await action(abort);
  } finally {
    signal?.removeEventListener("abort", interrupt);
  }
}

/** What comes of `source`. Throws "interrupted" as soon as `signal` is aborted, also while there is nothing to come: the source is left then. */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, void> {
  const interrupted = () => new BockerError("interrupted", "interrupted");
  const iterator = source[Symbol.asyncIterator]();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(interrupted()), { once: true });
  });
  aborted.catch(() => {});
  for (;;) {
    if (signal.aborted) throw interrupted();
    const next = await Promise.race([iterator.next(), aborted]);
    if (next.done === true) return;
    yield next.value;
  }
}
