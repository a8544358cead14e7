/** Copies of files that may take long: they can be interrupted, though each step is one of the kernel's. */
import { setImmediate as otherWork } from "node:timers/promises";
import { BockerError } from "../base/errors.ts";

/** Milliseconds of copying between two looks at whether it is to end. */
const SLICE = 50;

/** Carries out all steps. Throws "interrupted" once `signal` says so. */
export async function carryOutCopy(
  steps: AsyncIterable<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let next = performance.now() + SLICE;
  for await (const _ of steps) {
    if (performance.now() < next) continue;
    await otherWork();
    if (signal?.aborted === true) throw new BockerError("interrupted", "interrupted");
    next = performance.now() + SLICE;
  }
}
