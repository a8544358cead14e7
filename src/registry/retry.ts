/** Trying again, a bounded number of times, later and later. */
import { setTimeout as delay } from "node:timers/promises";
import { BockerError } from "../base/errors.ts";
import { TransientError } from "./failure.ts";

export interface RetryPolicy {
  /** Including the first one. Docker's max-download-attempts is 5, too. */
  attempts: number;
  /** Before the second attempt, in milliseconds; doubles with each one. */
  firstDelay: number;
  /** Of any wait, whatever a server asks for. */
  maxDelay: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, firstDelay: 300, maxDelay: 60_000 };

/**
 * Waits before attempt number `attempt` (the first one is 1).
 * Throws `error` where it is not worth another attempt or there have been enough, and "interrupted" when
 * `signal` ends the wait.
 */
export async function waitBeforeRetry(
  error: unknown,
  attempt: number,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!(error instanceof TransientError) || attempt > policy.attempts) throw error;
  const backOff = policy.firstDelay * 2 ** (attempt - 2);
  // Jitter: the clients that a busy server sent away shall not come back all at once.
  const wait = error.retryAfter ?? backOff * (1 + Math.random() / 2);
  try {
    await delay(Math.min(wait, policy.maxDelay), undefined, signal === undefined ? {} : { signal });
  } catch {
    throw new BockerError("interrupted", "interrupted");
  }
}

/** The result of `action`, which is called again after a TransientError. */
export async function withRetries<T>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      await waitBeforeRetry(error, attempt + 1, policy, signal);
    }
  }
}
