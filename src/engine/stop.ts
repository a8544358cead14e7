/** `stop`, `kill` and `wait`: ending a container, and learning how it ended. */
import { BockerError } from "../base/errors.ts";
import { MonitorConnection } from "../monitor/connection.ts";
import { FINISH } from "../monitor/protocol.ts";
import { POLLIN, SIGCONT, SIGKILL } from "../os/constants.ts";
import { close } from "../os/files.ts";
import { exists } from "../os/host-files.ts";
import { openProcess, pidfdSendSignal, pollAsync } from "../os/processes.ts";
import { isSystemError } from "../os/system-error.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { recordEvents } from "../state/events.ts";
import { lock } from "../state/locks.ts";
import { containerPaths } from "../state/paths.ts";
import { isRestarting, monitorPid, processStart, readState } from "../state/status.ts";
import { containerEvent, recordContainerEvents } from "./container-events.ts";
import type { Engine } from "./engine.ts";

/** What a monitor needs for its cleaning up is a hundredth of it. */
const PATIENCE_MS = 1000;
const LAST_PATIENCE_MS = 10_000;

/** Waits until the process behind a pidfd has ended; false when the time (ms, -1: none) ran out first. */
async function ended(pidfd: number, timeout: number): Promise<boolean> {
  const events = await pollAsync([{ fd: pidfd, events: POLLIN }], timeout);
  return events[0] !== 0;
}

/**
 * Sends a signal, and says so before: what comes of it is told after it. A paused container goes on, as in Docker: it could
 * not hear it.
 */
async function signalAndTell(
  engine: Engine,
  record: ContainerRecord,
  pidfd: number,
  signal: number,
): Promise<void> {
  const isPaused = exists(containerPaths(engine.paths, record.id).paused);
  recordEvents(engine.paths, [
    containerEvent(record, "kill", { signal: String(signal) }),
    ...(isPaused ? [containerEvent(record, "unpause")] : []),
  ]);
  signalIfAlive(pidfd, signal);
  if (!isPaused) return;
  const { resume } = await import("./freeze.ts");
  resume(engine, record);
}

/** False for a process that has ended. */
export function signalIfAlive(pidfd: number, signal: number): boolean {
  try {
    pidfdSendSignal(pidfd, signal);
    return true;
  } catch (error) {
    if (!isSystemError(error, "ESRCH")) throw error;
    return false;
  }
}

/** Descriptors of a running container's first process and of its monitor; undefined when it does not run. */
export function openRunning(
  engine: Engine,
  id: string,
): { pid: number; init: number; monitor: number | undefined } | undefined {
  const state = readState(engine.paths, id);
  if (state.status !== "running") return undefined;
  const start = processStart(state.pid);
  const init = openProcess(state.pid);
  if (init === undefined) return undefined;
  // The pid may have become another process's between the two looks.
  if (start === undefined || processStart(state.pid) !== start) {
    close(init);
    return undefined;
  }
  return { pid: state.pid, init, monitor: openProcess(state.monitor) };
}

/**
 * Sends a signal. Throws "not-running" in Docker's words.
 * @param ends whether it is to end the container: then its restart policy does not start it again
 */
export async function signalContainer(
  engine: Engine,
  record: ContainerRecord,
  signal: number,
  ends: boolean,
): Promise<void> {
  const wasRestarting = isRestarting(readState(engine.paths, record.id));
  if (ends) await endRestarts(engine, record);
  const running = openRunning(engine, record.id);
  if (running === undefined && ends && wasRestarting) return;
  if (running === undefined) throw new BockerError("not-running", `container ${record.id} is not running`);
  try {
    await signalAndTell(engine, record, running.init, signal);
  } finally {
    close(running.init);
    if (running.monitor !== undefined) close(running.monitor);
  }
}

/** Who waits for a monitor: "finish" whoever needs it gone, "record" whom the recorded end is enough for. */
type Wanted = "finish" | "record";

/**
 * Waits for the monitor of a container that has ended: it delivers and writes the last of the output and cleans up. One
 * that somebody has stopped is told to go on, one whose reader does not read is told to finish without.
 * Throws "conflict" where even that does not help.
 */
async function awaitEnd(
  engine: Engine,
  record: ContainerRecord,
  pidfd: number,
  wanted: Wanted,
): Promise<void> {
  if (await ended(pidfd, PATIENCE_MS)) return;
  signalIfAlive(pidfd, SIGCONT);
  if (wanted === "finish") {
    const connection = MonitorConnection.open(containerPaths(engine.paths, record.id).attach);
    connection?.send(FINISH);
    connection?.close();
  }
  if (await ended(pidfd, LAST_PATIENCE_MS)) return;
  if (wanted === "record" && readState(engine.paths, record.id).status === "exited") return;
  throw new BockerError(
    "conflict",
    `container ${record.name} has ended, but its monitor (process ${monitorPid(engine.paths, record.id)}) does not finish: look at what holds it, or kill it; the next command cleans up then`,
  );
}

/**
 * A container with a restart policy is not started again by it. A start that is under way comes to its end first: then it
 * runs, and is to be stopped as any other.
 */
async function endRestarts(engine: Engine, record: ContainerRecord): Promise<void> {
  if (record.host.restart === undefined) return;
  const { forgetRestart } = await import("./restart-policy.ts");
  const isRunning = () => readState(engine.paths, record.id).status === "running";
  if (isRunning()) forgetRestart(engine, record.id);
  if (isRunning()) return;
  const held = lock(engine.paths.locks, record.id);
  forgetRestart(engine, record.id);
  held.release();
}

/** False when it did not run. */
async function stop(
  engine: Engine,
  record: ContainerRecord,
  signal: number,
  timeout: number,
  wanted: Wanted,
): Promise<boolean> {
  await endRestarts(engine, record);
  const running = openRunning(engine, record.id);
  if (running === undefined) return false;
  try {
    await signalAndTell(engine, record, running.init, signal);
    const isEnough = signal !== SIGKILL && (await ended(running.init, timeout < 0 ? -1 : timeout * 1000));
    if (!isEnough) {
      if (signal !== SIGKILL) await signalAndTell(engine, record, running.init, SIGKILL);
      if (!(await ended(running.init, PATIENCE_MS))) {
        const { thaw } = await import("./freeze.ts");
        thaw(engine, record);
        await ended(running.init, -1);
      }
    }
    if (running.monitor !== undefined) await awaitEnd(engine, record, running.monitor, wanted);
    // It may have ended by itself just before, and its monitor have called for the next start.
    await endRestarts(engine, record);
    return true;
  } finally {
    close(running.init);
    if (running.monitor !== undefined) close(running.monitor);
  }
}

/**
 * Sends `signal`, then SIGKILL after `timeout` seconds (-1: never). Returns once the monitor has recorded the end, and,
 * unless a slow reader of the output keeps it, has cleaned up. Nothing happens when the container does not run.
 */
export async function stopContainer(
  engine: Engine,
  record: ContainerRecord,
  signal: number,
  timeout: number,
): Promise<void> {
  if (await stop(engine, record, signal, timeout, "record")) recordContainerEvents(engine, record, "stop");
}

/** SIGKILL; returns once nothing of the container is left but its record and its files. */
export async function killContainer(engine: Engine, record: ContainerRecord): Promise<void> {
  await stop(engine, record, SIGKILL, -1, "finish");
  await awaitMonitor(engine, record);
}

/** Waits until an ended container's monitor has written the last of the log and cleaned up. */
export async function awaitMonitor(
  engine: Engine,
  record: ContainerRecord,
  wanted: Wanted = "finish",
): Promise<void> {
  const pid = monitorPid(engine.paths, record.id);
  const pidfd = pid === undefined ? undefined : openProcess(pid);
  if (pidfd === undefined) return;
  try {
    await awaitEnd(engine, record, pidfd, wanted);
  } finally {
    close(pidfd);
  }
}

const WAIT_AGAIN_MS = 100;

/** Waits until a container does not run, and tells the code it ended with; for one that never ran 0, or that of its failure to start. */
export async function waitContainer(engine: Engine, record: ContainerRecord): Promise<number> {
  const files = containerPaths(engine.paths, record.id);
  for (;;) {
    const state = readState(engine.paths, record.id);
    if (state.status === "exited") {
      await awaitMonitor(engine, record, "record");
      return state.code;
    }
    if (state.status === "created") return state.failed?.code ?? 0;
    const connection = MonitorConnection.open(files.attach);
    const code = connection === undefined ? undefined : await exitCodeFrom(connection);
    if (code !== undefined) return code;
    // The monitor has gone, or has only just begun: what it wrote will tell.
    await new Promise((resolve) => setTimeout(resolve, WAIT_AGAIN_MS));
  }
}

async function exitCodeFrom(connection: MonitorConnection): Promise<number | undefined> {
  try {
    for (;;) {
      const event = await connection.next();
      if (event === undefined) return undefined;
      if (event.type === "exited") return event.code;
    }
  } finally {
    connection.close();
  }
}
