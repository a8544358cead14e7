/** Carrying out a start: the launcher gets its plan in two parts, and says what became of it. */
import { BockerError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { MonitorConnection } from "../monitor/connection.ts";
import type { Streams } from "../monitor/protocol.ts";
import { isSystemError } from "../os/system-error.ts";
import { abandon, LAUNCHED, type Launched, sendPart } from "../runtime/launch/launcher.ts";
import type { Plan } from "../runtime/plan/operation.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { launchMonitor } from "./launch-monitor.ts";
import type { NetworkPlan } from "./network.ts";
import type { StartOptions, StartSource } from "./start-source.ts";
import { performCgroupStep, performFileStep } from "./steps.ts";

export interface Started {
  connection: MonitorConnection;
  /** What was carried out. */
  plan: () => Promise<Plan>;
  pid: number;
  /** CLOCK_MONOTONIC nanoseconds after each operation, where timings were asked for. */
  times: BigUint64Array | undefined;
}

/** A start whose launcher was killed: it has undone nothing. */
export class LauncherLost extends BockerError {}

const LOST = "the launcher ended without a word: was it killed?";

/** True when nobody is at the other end of a launcher's socket any more. */
const isGone = (error: unknown) => isSystemError(error, "EPIPE", "ECONNRESET");

/** Waits for the first word of a launcher: it runs, or why not. */
export async function awaitStarted(
  connection: MonitorConnection,
  plan: () => Promise<Plan>,
): Promise<{ pid: number; times: BigUint64Array | undefined }> {
  let times: BigUint64Array | undefined;
  for (;;) {
    const event = connection.nextBlocking();
    if (event === undefined) throw new LauncherLost("internal", LOST);
    if (event.type === "timings") times = event.times;
    else if (event.type === "started") return { pid: event.pid, times };
    else if (event.type === "failed") {
      const { startError } = await import("./start-failure.ts");
      throw startError(await plan(), event);
    }
  }
}

/** A start that is under way: the launcher carries out how it begins. */
export interface Begun {
  source: StartSource;
  launched: Launched;
}

/** Starts the launcher and sends it how the start begins. */
export function beginStart(
  record: ContainerRecord,
  source: StartSource,
  streams: Streams | undefined,
  options: StartOptions,
  fds: number[],
): Begun {
  const beginning = source.beginning();
  for (const step of source.steps) performCgroupStep(step);
  for (const step of source.files) performFileStep(step);
  const launched = launchMonitor(source.place, `bocker-monitor ${shortId(record.id)}`, (socket) => {
    if (streams !== undefined) new MonitorConnection(socket).attach(streams, record.config.tty);
  });
  try {
    sendPart(launched, beginning, fds, false);
  } catch (error) {
    abandon(launched);
    throw isGone(error) ? new LauncherLost("internal", LOST) : error;
  }
  options.mark?.(LAUNCHED);
  return { source, launched };
}

/** Sends the end of a plan. A launcher that has failed by now takes nothing more: what it said is heard later. */
function sendRest(launched: Launched, bytes: Uint8Array, fds: number[]): void {
  try {
    sendPart(launched, bytes, fds, true);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** As completeStart, once. */
async function tryComplete(
  { launched, source }: Begun,
  network: NetworkPlan,
  options: StartOptions,
): Promise<Started> {
  try {
    const rest = await source.rest(network);
    for (const step of rest.files) performFileStep(step);
    sendRest(launched, rest.bytes, network.held);
  } catch (error) {
    abandon(launched);
    throw error;
  }
  options.mark?.("decide the rest");
  const connection = new MonitorConnection(launched.socket);
  const plan = () => source.plan(network);
  try {
    return { connection, plan, ...(await awaitStarted(connection, plan)) };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** How often a start is begun whose cgroups turn out to be decided by what is no more. */
const ATTEMPTS = 3;

/**
 * Decides and sends the rest of a start; returns once the program runs. If it throws, the launcher has undone
 * what it did, unless it is LauncherLost: then undoStart does.
 * @param again decides and begins the start anew
 */
export async function completeStart(
  begun: Begun,
  again: () => Begun | Promise<Begun>,
  network: NetworkPlan,
  options: StartOptions,
): Promise<Started> {
  let current = begun;
  for (let attempt = 1; ; attempt++)
    try {
      return await tryComplete(current, network, options);
    } catch (error) {
      const { CgroupFailure } = await import("./start-failure.ts");
      if (!(error instanceof CgroupFailure) || attempt === ATTEMPTS) throw error;
      current = await again();
    }
}
