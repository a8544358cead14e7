/** Processes, waiting, limits and clocks: the system calls of native.ts, throwing. */
import { POLLIN } from "./constants.ts";
import { native } from "./native.ts";
import { checked, retried } from "./syscalls.ts";

const EINTR = 4;
export const WNOHANG = 1;

/**
 * Ends this process at once. What was written is written; nothing of the runtime is taken down in order, which
 * costs more than a millisecond, and databases are left as a crash would leave them, which they are made for.
 */
export function exitNow(code: number): never {
  native().exit(code);
  throw new Error("_exit came back");
}

export function kill(pid: number, signal: number): void {
  checked(native().kill(pid, signal), "kill");
}

/** A descriptor of a process; undefined where there is none any more. Close-on-exec. */
export function openProcess(pid: number): number | undefined {
  const ESRCH = 3;
  const result = native().pidfdOpen(pid, 0);
  return result === -ESRCH ? undefined : checked(result, "pidfd_open");
}

export function pidfdSendSignal(pidfd: number, signal: number): void {
  checked(native().pidfdSendSignal(pidfd, signal), "pidfd_send_signal");
}

export function prctl(option: number, a = 0, b = 0, c = 0, d = 0): number {
  return checked(native().prctl(option, a, b, c, d), "prctl");
}

/** Sets the umask of the whole process and returns the one before. */
export function umask(mode: number): number {
  return native().umask(mode);
}

/** Infinity stands for RLIM_INFINITY. */
export interface Limit {
  soft: number;
  hard: number;
}

export function getrlimit(resource: number): Limit {
  const out = new Float64Array(2);
  checked(native().getrlimit(resource, out), "getrlimit");
  return { soft: out[0]!, hard: out[1]! };
}

export function setrlimit(resource: number, limit: Limit): void {
  checked(native().setrlimit(resource, limit.soft, limit.hard), "setrlimit");
}

/** A descriptor to watch: `events` is POLL*. */
export interface PollRequest {
  fd: number;
  events: number;
}

/**
 * The revents of each request, in order; all zero when the time ran out. Blocks the thread;
 * -1 waits for ever. An interruption by a signal starts the time again.
 */
export function poll(requests: PollRequest[], timeoutMs: number): Int32Array {
  for (;;) {
    const { fds, events } = pollArrays(requests);
    const result = native().poll(fds, events, timeoutMs);
    if (result === -EINTR) continue;
    checked(result, "poll");
    return events;
  }
}

/**
 * Milliseconds from the moment that a process has neither root nor namespaces any more until it is seen to have ended. All
 * processes of a container end before its first one has.
 */
export const ENDING_MS = 1000;

/** Whether a process ends within that time (ms), or has ended before; by its pidfd. Blocks the thread. */
export function endsWithin(pidfd: number, timeoutMs: number): boolean {
  return poll([{ fd: pidfd, events: POLLIN }], timeoutMs)[0] !== 0;
}

function pollArrays(requests: PollRequest[]): { fds: Int32Array; events: Int32Array } {
  const fds = new Int32Array(requests.length);
  const events = new Int32Array(requests.length);
  for (let index = 0; index < requests.length; index++) {
    fds[index] = requests[index]!.fd;
    events[index] = requests[index]!.events;
  }
  return { fds, events };
}

/** As `poll`, in a thread of the runtime's pool, which it occupies until it resolves. */
export async function pollAsync(requests: PollRequest[], timeoutMs: number): Promise<Int32Array> {
  for (;;) {
    const { fds, events } = pollArrays(requests);
    const result = await native().pollAsync(fds, events, timeoutMs);
    if (result === -EINTR) continue;
    checked(result, "poll");
    return events;
  }
}

/**
 * Starts the program behind `exeFd` with `fds[i]` as descriptor i (-1: closed) and no other, default
 * signals, umask 022, default priority, all processors and no personality. Returns the pid; a program that cannot be executed throws "execveat".
 * @param cgroup descriptor of the cgroup v2 directory that it is born in; -1: this process's
 */
export function spawn(
  exeFd: number,
  argv: string[],
  envp: string[],
  fds: number[],
  newSession = false,
  cgroup = -1,
): number {
  return checked(native().spawn(exeFd, argv, envp, new Int32Array(fds), newSession, cgroup), "execveat");
}

/** How a process ended: one of both is set. */
export interface ExitStatus {
  code: number | undefined;
  signal: number | undefined;
}

/** Waits for a child; undefined when WNOHANG is given and it still runs. */
export function waitpid(pid: number, flags = 0): { pid: number; status: ExitStatus } | undefined {
  const out = new Int32Array(1);
  const ended = retried(() => native().waitpid(pid, flags, out), "waitpid");
  if (ended === 0) return undefined;
  const status = out[0]!;
  const signal = status & 0x7f;
  return {
    pid: ended,
    status: signal === 0 ? { code: (status >> 8) & 0xff, signal: undefined } : { code: undefined, signal },
  };
}

export const CLOCK_MONOTONIC = 1;
export const CLOCK_BOOTTIME = 7;

/** The clock as seconds and nanoseconds after them. */
export function clockGettime(clock: number): { sec: number; nsec: number } {
  const out = new Float64Array(2);
  checked(native().clockGettime(clock, out), "clock_gettime");
  return { sec: out[0]!, nsec: out[1]! };
}

/** Moves the calling thread (the only JS thread) into the namespace behind `fd`. */
export function setns(fd: number, type: number): void {
  checked(native().setns(fd, type), "setns");
}

export function unshare(flags: number): void {
  checked(native().unshare(flags), "unshare");
}
