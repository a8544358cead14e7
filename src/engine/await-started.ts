/** The first word of a launcher, of a start or of an exec. */
import { BockerError } from "../base/errors.ts";
import type { MonitorConnection } from "../monitor/connection.ts";
import type { Plan } from "../runtime/plan/operation.ts";

/** A start whose launcher was killed: it has undone nothing. */
export class LauncherLost extends BockerError {
  constructor() {
    super("internal", "the launcher ended without a word: was it killed?");
  }
}

export interface Started {
  connection: MonitorConnection;
  /** What was carried out. */
  plan: () => Promise<Plan>;
  pid: number;
  /** CLOCK_MONOTONIC nanoseconds after each operation, where timings were asked for. */
  times: BigUint64Array | undefined;
}

/** Waits for the first word of a launcher: it runs, or why not. */
export async function awaitStarted(
  connection: MonitorConnection,
  plan: () => Promise<Plan>,
): Promise<{ pid: number; times: BigUint64Array | undefined }> {
  let times: BigUint64Array | undefined;
  for (;;) {
    const event = connection.nextBlocking();
    if (event === undefined) throw new LauncherLost();
    if (event.type === "timings") times = event.times;
    else if (event.type === "started") return { pid: event.pid, times };
    else if (event.type === "failed") {
      const { startError } = await import("./start-failure.ts");
      throw startError(await plan(), event);
    }
  }
}
