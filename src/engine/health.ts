/**
 * A container's health: its own command, executed again and again (moby, daemon/health.go). There is no daemon to see to it: as long
 * as a file `check` is in the container's directory of this boot, its monitor calls the engine (`bocker attend`) whenever the
 * milliseconds in it have passed. The monitor calls once at a time, and ends what it has called when the container ends.
 *
 *     RUN/containers/ID/check    milliseconds to the next check
 *     RUN/containers/ID/health   what the checks have found
 */
import { formatDuration } from "../base/duration.ts";
import { BockerError, messageOf } from "../base/errors.ts";
import type { MonitorConnection } from "../monitor/connection.ts";
import { O_CLOEXEC, O_NONBLOCK, SIGKILL } from "../os/constants.ts";
import { close, pipe, read } from "../os/files.ts";
import { removeFile } from "../os/host-files.ts";
import { CLOCK_BOOTTIME, clockGettime, openProcess } from "../os/processes.ts";
import { replaceFile } from "../os/replace-file.ts";
import { isSystemError } from "../os/system-error.ts";
import type { ContainerRecord } from "../spec/container.ts";
import type { HealthcheckConfig } from "../spec/image-config.ts";
import { type Health, type HealthResult, readHealth, writeHealth } from "../state/health.ts";
import { containerPaths } from "../state/paths.ts";
import { processStart, readState } from "../state/status.ts";
import type { Started } from "./await-started.ts";
import { recordContainerEvents } from "./container-events.ts";
import { type Engine, timestamp } from "./engine.ts";
import { execInContainer } from "./exec.ts";
import { callAsMonitor } from "./monitor-call.ts";
import { privateFile } from "./private-file.ts";
import { performFileStep, type WriteStep } from "./steps.ts";
import { signalContainer, signalIfAlive } from "./stop.ts";

/** Docker's defaults. */
const DEFAULTS = { intervalMs: 30_000, timeoutMs: 30_000, startIntervalMs: 5000, retries: 3 };
const LOG_MOST = 5;
/** Bytes of a check's output that are kept; the rest is read and forgotten (security.md I1). */
const OUTPUT_MOST = 4096;
const NS_PER_MS = 1e6;
/** USER_HZ, in which /proc counts: the same on all machines that bocker knows. */
const CLOCK_TICKS = 100;
/** The longest that a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;

interface Probe {
  command: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

function milliseconds(nanoseconds: number | undefined, otherwise: number): number {
  if (nanoseconds === undefined || !(nanoseconds > 0)) return otherwise;
  return Math.min(Math.max(1, Math.round(nanoseconds / NS_PER_MS)), LONGEST_MS);
}

function commandOf({ Test }: HealthcheckConfig, shell: string[] | undefined): string[] | undefined {
  const [kind, ...words] = Test ?? [];
  if (words.length === 0) return undefined;
  if (kind === "CMD") return words;
  return kind === "CMD-SHELL" ? [...(shell ?? ["/bin/sh", "-c"]), ...words] : undefined;
}

/** Undefined for a container without a check, or that has been told to have none. */
function probeOf({ config: { healthcheck, shell } }: ContainerRecord): Probe | undefined {
  const command = healthcheck === undefined ? undefined : commandOf(healthcheck, shell);
  if (healthcheck === undefined || command === undefined) return undefined;
  const { Interval, Timeout, StartPeriod, StartInterval, Retries } = healthcheck;
  return {
    command,
    intervalMs: milliseconds(Interval, DEFAULTS.intervalMs),
    timeoutMs: milliseconds(Timeout, DEFAULTS.timeoutMs),
    startPeriodMs: milliseconds(StartPeriod, 0),
    startIntervalMs: milliseconds(StartInterval, DEFAULTS.startIntervalMs),
    retries: Retries !== undefined && Retries > 0 ? Retries : DEFAULTS.retries,
  };
}

/** Since its start, whatever somebody has done to the clock meanwhile (F20). */
function runsForMs(pid: number): number {
  const { sec, nsec } = clockGettime(CLOCK_BOOTTIME);
  return sec * 1000 + nsec / NS_PER_MS - ((processStart(pid) ?? 0) * 1000) / CLOCK_TICKS;
}

/** Milliseconds to the next check. */
function delayOf(probe: Probe, { status }: Health, runsForMs: number): number {
  const isStarting = status === "starting" && runsForMs < probe.startPeriodMs;
  return isStarting ? probe.startIntervalMs : probe.intervalMs;
}

function planCheck(engine: Engine, id: string, delay: number): void {
  replaceFile(containerPaths(engine.paths, id).check, String(delay));
}

/** What a start writes so that its monitor has the container checked; nothing for one without a check. */
export function healthSteps(engine: Engine, record: ContainerRecord): WriteStep[] {
  const probe = probeOf(record);
  if (probe === undefined) return [];
  const { check, health } = containerPaths(engine.paths, record.id);
  const begun: Health = {
    status: "starting",
    streak: 0,
    log: readHealth(engine.paths, record.id)?.log ?? [],
  };
  const delay = delayOf(probe, begun, 0);
  return [
    privateFile(health, JSON.stringify(begun), "the container's health, as far as it is known"),
    privateFile(
      check,
      String(delay),
      `in ${formatDuration(delay)} the monitor calls bocker, which executes \`${probe.command.join(" ")}\` in the container, and so on: there is no daemon that could`,
    ),
  ];
}

/** Before a start; to be called under the container's lock. */
export function beginHealth(engine: Engine, record: ContainerRecord): void {
  const { check, health } = containerPaths(engine.paths, record.id);
  const steps = healthSteps(engine, record);
  if (steps.length === 0) for (const path of [check, health]) removeFile(path);
  for (const step of steps) performFileStep(step);
}

/** The beginning of what a command prints, and its exit code; the rest is read, so that it can go on. */
async function collect(
  connection: MonitorConnection,
  output: number,
): Promise<{ code: number; output: string }> {
  const kept = Buffer.alloc(OUTPUT_MOST);
  const rest = Buffer.alloc(1 << 16);
  let length = 0;
  const take = (): "more" | "none" | "end" => {
    const isFull = length === OUTPUT_MOST;
    try {
      const count = isFull ? read(output, rest) : read(output, kept, length);
      if (!isFull) length += count;
      return count > 0 ? "more" : "end";
    } catch (error) {
      if (isSystemError(error, "EAGAIN")) return "none";
      throw error;
    }
  };
  let isOpen = true;
  for (;;) {
    if ((await connection.wait(isOpen ? output : undefined)) === "input") {
      isOpen = take() !== "end";
      continue;
    }
    const event = connection.receive();
    if (event !== undefined && event.type !== "exited") continue;
    while (take() === "more");
    return { code: event?.code ?? -1, output: kept.toString("utf8", 0, length) };
  }
}

/** Executes the command; when it takes too long it is killed. */
async function execute(
  engine: Engine,
  record: ContainerRecord,
  probe: Probe,
): Promise<Omit<HealthResult, "start" | "end">> {
  const ends = pipe(O_CLOEXEC | O_NONBLOCK);
  const request = {
    command: probe.command,
    env: [],
    user: undefined,
    workingDir: undefined,
    privileged: false,
    tty: false,
    stdin: false,
    terminal: undefined,
    detachKeys: new Uint8Array(),
    timings: false,
  };
  let isLate = false;
  let started: Started;
  try {
    started = await execInContainer(engine, record, request, { stdout: ends.write, stderr: ends.write });
  } catch (error) {
    close(ends.read);
    throw error;
  } finally {
    close(ends.write);
  }
  const pidfd = openProcess(started.pid);
  const timer = setTimeout(() => {
    isLate = pidfd !== undefined && signalIfAlive(pidfd, SIGKILL);
  }, probe.timeoutMs);
  try {
    const ended = await collect(started.connection, ends.read);
    if (!isLate) return ended;
    const late = `Health check exceeded timeout (${formatDuration(probe.timeoutMs)})`;
    return { code: -1, output: ended.output === "" ? late : `${late}: ${ended.output}` };
  } finally {
    clearTimeout(timer);
    started.connection.close();
    if (pidfd !== undefined) close(pidfd);
    close(ends.read);
  }
}

/** What a result makes of it (moby, handleProbeResult). */
function healthAfter(before: Health, result: HealthResult, { retries }: Probe, isGrace: boolean): Health {
  const log = [...before.log, result].slice(-LOG_MOST);
  if (result.code === 0) return { status: "healthy", streak: 0, log };
  // Who has not been well yet has a while to become so.
  if (before.status === "starting" && isGrace) return { ...before, log };
  const streak = before.streak + 1;
  return { status: streak >= retries ? "unhealthy" : before.status, streak, log };
}

/** --health-on-failure. This process ends with the container: what goes on after that is another's. */
async function act(engine: Engine, record: ContainerRecord): Promise<void> {
  const { healthOnFailure } = record.host;
  if (healthOnFailure === undefined) return;
  if (healthOnFailure !== "kill") callAsMonitor(engine, record.id, healthOnFailure);
  // As any other end it is one after which a restart policy starts it.
  else await signalContainer(engine, record, SIGKILL, false);
}

/**
 * Checks a running container, notes what comes of it, and when the next time is. A container that is paused is left alone, and so is one that
 * ends meanwhile.
 */
export async function checkHealth(engine: Engine, record: ContainerRecord): Promise<void> {
  const probe = probeOf(record);
  const state = readState(engine.paths, record.id);
  const before = readHealth(engine.paths, record.id);
  if (probe === undefined || state.status !== "running" || before === undefined) return;
  const [start, ranForMs] = [timestamp(), runsForMs(state.pid)];
  const result = await execute(engine, record, probe).catch((error: unknown) => {
    const code = error instanceof BockerError ? error.code : undefined;
    if (code === "not-running" || code === "conflict" || code === "not-found") return undefined;
    return { code: -1, output: messageOf(error) };
  });
  const now = readState(engine.paths, record.id);
  if (now.status !== "running" || now.pid !== state.pid) return;
  if (result === undefined) {
    planCheck(engine, record.id, delayOf(probe, before, runsForMs(state.pid)));
    return;
  }
  const isGrace = ranForMs < probe.startPeriodMs;
  const after = healthAfter(before, { start, end: timestamp(), ...result }, probe, isGrace);
  writeHealth(engine.paths, record.id, after);
  planCheck(engine, record.id, delayOf(probe, after, runsForMs(state.pid)));
  if (after.status === before.status) return;
  recordContainerEvents(engine, record, `health_status: ${after.status}`);
  if (after.status === "unhealthy") await act(engine, record);
}
