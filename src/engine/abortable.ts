/** Work that is ended from outside, and ends all of its parts when one of them fails. */

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
