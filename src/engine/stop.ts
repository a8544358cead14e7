/** `stop`, `kill` and `wait`: ending a container, and learning how it ended. */
import { BockerError } from "../base/errors.ts";
import { MonitorConnection } from "../monitor/connection.ts";
import { POLLIN } from "../os/constants.ts";
import { close } from "../os/files.ts";
import { pidfdOpen, pidfdSendSignal, pollAsync } from "../os/processes.ts";
import { isSystemError } from "../os/system-error.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths } from "../state/paths.ts";
import { monitorPid, processStart, readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";

const SIGKILL = 9;

/** A descriptor of a process, if that is still the process that was meant. */
export function openProcess(pid: number): number | undefined {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (isSystemError(error, "ESRCH")) return undefined;
    throw error;
  }
}

/** Waits until the process behind a pidfd has ended; false when the time (ms, -1: none) ran out first. */
async function ended(pidfd: number, timeout: number): Promise<boolean> {
  const [events = 0] = await pollAsync([{ fd: pidfd, events: POLLIN }], timeout);
  return events !== 0;
}

function signalIfAlive(pidfd: number, signal: number): void {
  try {
    pidfdSendSignal(pidfd, signal);
  } catch (error) {
    if (!isSystemError(error, "ESRCH")) throw error;
  }
}

/** Descriptors of a running container's first process and of its monitor; undefined when it does not run. */
function openRunning(engine: Engine, id: string): { init: number; monitor: number | undefined } | undefined {
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
  return { init, monitor: openProcess(state.monitor) };
}

/** Sends a signal. Throws "not-running" in Docker's words. */
export function signalContainer(engine: Engine, record: ContainerRecord, signal: number): void {
  const running = openRunning(engine, record.id);
  if (running === undefined) throw new BockerError("not-running", `container ${record.id} is not running`);
  try {
    signalIfAlive(running.init, signal);
  } finally {
    close(running.init);
    if (running.monitor !== undefined) close(running.monitor);
  }
}

/**
 * Sends `signal`, then SIGKILL after `timeout` seconds (-1: never). Returns once the monitor has
 * recorded the end and cleaned up. Nothing happens when the container does not run.
 */
export async function stopContainer(
  engine: Engine,
  record: ContainerRecord,
  signal: number,
  timeout: number,
): Promise<void> {
  const running = openRunning(engine, record.id);
  if (running === undefined) return;
  try {
    signalIfAlive(running.init, signal);
    if (!(await ended(running.init, timeout < 0 ? -1 : timeout * 1000))) {
      signalIfAlive(running.init, SIGKILL);
      await ended(running.init, -1);
    }
    if (running.monitor !== undefined) await ended(running.monitor, -1);
  } finally {
    close(running.init);
    if (running.monitor !== undefined) close(running.monitor);
  }
}

/** SIGKILL, and as stopContainer. */
export function killContainer(engine: Engine, record: ContainerRecord): Promise<void> {
  return stopContainer(engine, record, SIGKILL, -1);
}

/** Waits until an ended container's monitor has written the last of the log and cleaned up. */
export async function awaitMonitor(engine: Engine, id: string): Promise<void> {
  const pid = monitorPid(engine.paths, id);
  const pidfd = pid === undefined ? undefined : openProcess(pid);
  if (pidfd === undefined) return;
  try {
    await ended(pidfd, -1);
  } finally {
    close(pidfd);
  }
}

const WAIT_AGAIN_MS = 100;

/** Waits until a container does not run, and tells the code it ended with; 0 for one that was never started. */
export async function waitContainer(engine: Engine, record: ContainerRecord): Promise<number> {
  const files = containerPaths(engine.paths, record.id);
  for (;;) {
    const state = readState(engine.paths, record.id);
    if (state.status === "exited") {
      await awaitMonitor(engine, record.id);
      return state.code;
    }
    if (state.status === "created") return 0;
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
