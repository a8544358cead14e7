/** Carrying out a start: the launcher gets its plan in two parts, and says what became of it. */
import { shortId } from "../base/ids.ts";
import { MonitorConnection } from "../monitor/connection.ts";
import type { Streams } from "../monitor/protocol.ts";
import { isSystemError } from "../os/system-error.ts";
import { abandon, LAUNCHED, type Launched, sendPart } from "../runtime/launch/launcher.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { awaitStarted, LauncherLost, type Started } from "./await-started.ts";
import { launchMonitor } from "./launch-monitor.ts";
import type { NetworkPlan } from "./network.ts";
import type { StartOptions, StartSource } from "./start-source.ts";
import { performCgroupStep, performFileStep } from "./steps.ts";

/** True when nobody is at the other end of a launcher's socket any more. */
const isGone = (error: unknown) => isSystemError(error, "EPIPE", "ECONNRESET");

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
    throw isGone(error) ? new LauncherLost() : error;
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
    const started = await awaitStarted(connection, plan);
    await network.started?.();
    return { connection, plan, ...started };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** How often a start is begun whose cgroups turn out to be decided by what is no more, or whose address is taken. */
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
      const { AddressTaken, CgroupFailure } = await import("./start-failure.ts");
      const isTaken = error instanceof AddressTaken;
      if (!(isTaken || error instanceof CgroupFailure) || attempt === ATTEMPTS) throw error;
      if (isTaken) network.readdress?.();
      current = await again();
    }
}
