/** Waiting for what other processes do, without knowing how long it takes. */

const [INTERVAL_MS, PATIENCE_MS, SETTLING_MS] = [20, 60_000, 20_000];

function refuseLate(since: number, condition: () => boolean): void {
  if (performance.now() - since > PATIENCE_MS) throw new Error(`does not come true: ${condition}`);
}

/** Asks again and again until the condition holds. What takes a minute never comes: a machine may be slow, not so slow. */
export async function until(condition: () => boolean): Promise<void> {
  for (const since = performance.now(); !condition(); await Bun.sleep(INTERVAL_MS))
    refuseLate(since, condition);
}

/** The same where nothing else goes on meanwhile. */
export function untilSync(condition: () => boolean): void {
  for (const since = performance.now(); !condition(); Bun.sleepSync(INTERVAL_MS))
    refuseLate(since, condition);
}

/** What there is once it is `before` again, or after a while: monitors clean up after their clients have gone. */
export async function settled<T>(look: () => T | Promise<T>, before: T): Promise<T> {
  const since = performance.now();
  for (;;) {
    const now = await look();
    if (Bun.deepEquals(now, before) || performance.now() - since > SETTLING_MS) return now;
    await Bun.sleep(INTERVAL_MS);
  }
}

/** Now, for --since: whatever has been is before it, in the same millisecond, too. */
export function fromNow(): string {
  Bun.sleepSync(2);
  return String(Date.now() / 1000);
}
