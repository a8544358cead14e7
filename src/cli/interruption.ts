/** Ctrl-C and its like as an AbortSignal, for work that has something to undo. */
import { SIGNALS } from "../os/signals.ts";

const STOPPING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs `work` with a signal that tells it to stop. A second Ctrl-C ends the process at once, as if
 * nothing had been caught.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(129 + SIGNALS.indexOf(name.slice("SIG".length)));
    controller.abort();
  };
  for (const name of STOPPING) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of STOPPING) process.off(name, onSignal);
  }
}
