/** The time between a start and its end, seen from the terminal: input, signals, window size. */
import { fstatSync } from "node:fs";
import { constants } from "node:os";
import type { MonitorConnection } from "../monitor/connection.ts";
import { INPUT_END, INPUT_LIMIT, inputMessage, resizeMessage, type Streams } from "../monitor/protocol.ts";
import { close, read } from "../os/files.ts";
import { pidfdOpen, pidfdSendSignal } from "../os/processes.ts";
import { isSystemError } from "../os/system-error.ts";
import { isTerminal, makeRaw, windowSize } from "../os/terminal.ts";

export interface Attachment {
  connection: MonitorConnection;
  /** The container's first process; signals go to it. */
  pid: number;
  /** The terminal's size and raw input are the container's. */
  tty: boolean;
  stdin: boolean;
  signals: boolean;
}

export type Ended = { type: "exited"; code: number } | { type: "detached"; code: number } | { type: "lost" };

/** As a shell tells of a program that wrote into a pipe nobody reads: 128 and SIGPIPE's number. */
const UNREAD: Ended = { type: "detached", code: 141 };

/** Not passed on: the terminal's own, and those that concern this process only (docker/cli signals.go). */
const NOT_FORWARDED = new Set([
  "SIGCHLD",
  "SIGPIPE",
  "SIGURG",
  "SIGWINCH",
  "SIGKILL",
  "SIGSTOP",
  "SIGCONT",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGPROF",
  "SIGSEGV",
  "SIGBUS",
  "SIGILL",
  "SIGFPE",
  "SIGABRT",
  "SIGTRAP",
  "SIGSYS",
  "SIGIO",
  "SIGSTKFLT",
  "SIGIOT",
  "SIGPOLL",
]);

/**
 * Streams to hand to the monitor, which reads and writes them itself. A terminal's input stays with us:
 * the shell that owns the terminal must be able to stop us, and it could not stop the monitor.
 */
export function callerStreams(options: { stdin: boolean; tty: boolean }): Streams {
  return {
    stdin: options.stdin && !isTerminal(0) ? 0 : undefined,
    stdout: 1,
    stderr: options.tty ? undefined : 2,
  };
}

/** A descriptor of the process; undefined when it has ended already. */
function openProcess(pid: number): number | undefined {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (isSystemError(error, "ESRCH")) return undefined;
    throw error;
  }
}

function forwardSignals(pid: number): () => void {
  const pidfd = openProcess(pid);
  if (pidfd === undefined) return () => {};
  const handlers = Object.entries(constants.signals)
    .filter(([name]) => !NOT_FORWARDED.has(name))
    .map(([name, number]): [NodeJS.Signals, () => void] => [
      name as NodeJS.Signals,
      () => {
        try {
          pidfdSendSignal(pidfd, number);
        } catch (error) {
          if (!isSystemError(error, "ESRCH")) throw error;
        }
      },
    ]);
  for (const [name, handler] of handlers) process.on(name, handler);
  return () => {
    for (const [name, handler] of handlers) process.off(name, handler);
    close(pidfd);
  };
}

function forwardSize(connection: MonitorConnection): () => void {
  const send = () => {
    const { rows, columns } = windowSize(isTerminal(1) ? 1 : 0);
    if (rows > 0) connection.send(resizeMessage(rows, columns));
  };
  process.on("SIGWINCH", send);
  return () => process.off("SIGWINCH", send);
}

async function pumpTerminal(connection: MonitorConnection): Promise<Ended> {
  const buffer = Buffer.alloc(INPUT_LIMIT);
  let watchInput = true;
  for (;;) {
    const ready = await connection.wait(watchInput ? 0 : undefined);
    if (ready === "input") {
      const length = read(0, buffer);
      if (length === 0) watchInput = false;
      connection.send(length === 0 ? INPUT_END : inputMessage(buffer.subarray(0, length)));
      continue;
    }
    const ended = endOf(connection.receive());
    if (ended !== undefined) return ended;
  }
}

/** Whether a descriptor is one whose reader can go away. */
function hasReader(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isFIFO() || stat.isSocket();
  } catch {
    return false;
  }
}

function endOf(event: ReturnType<MonitorConnection["receive"]>): Ended | undefined {
  if (event === undefined) return { type: "lost" };
  if (event.type === "exited") return { type: "exited", code: event.code };
  if (event.type === "detached") return { type: "detached", code: 0 };
  return undefined;
}

/**
 * Runs `body`, which starts or finds a container and stays attached to it. The user's terminal is raw from before
 * the container's first byte (else that would be treated twice), and as it was afterwards.
 */
export async function withTerminal<T>(
  { tty, stdin }: { tty: boolean; stdin: boolean },
  body: () => Promise<T>,
): Promise<T> {
  const restore = tty && stdin && isTerminal(0) ? makeRaw(0) : undefined;
  try {
    return await body();
  } finally {
    restore?.();
  }
}

/** Stays until the container ends, the user detaches, or the monitor is gone. Within `withTerminal`. */
export async function stayAttached(attachment: Attachment): Promise<Ended> {
  const { connection, tty, stdin } = attachment;
  const undo: (() => void)[] = [];
  if (attachment.signals) undo.push(forwardSignals(attachment.pid));
  if (tty) undo.push(forwardSize(connection));
  try {
    if (stdin && isTerminal(0)) return await pumpTerminal(connection);
    const output = hasReader(1) ? 1 : undefined;
    for (;;) {
      const event = await (output === undefined ? connection.next() : connection.nextWhileRead(output));
      // As in Docker the container goes on without us.
      if (event === "unread") return UNREAD;
      const ended = endOf(event);
      if (ended !== undefined) return ended;
    }
  } finally {
    for (const action of undo.reverse()) action();
  }
}
