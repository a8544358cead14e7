/** The time between a start and its end, seen from the terminal: input, signals, window size. */
import type { MonitorConnection } from "../monitor/connection.ts";
import { INPUT_END, INPUT_LIMIT, inputMessage, resizeMessage, type Streams } from "../monitor/protocol.ts";
import { S_IFIFO, S_IFMT, S_IFSOCK } from "../os/constants.ts";
import { close, read } from "../os/files.ts";
import { fstat } from "../os/metadata.ts";
import { openProcess, pidfdSendSignal } from "../os/processes.ts";
import { SIGNALS } from "../os/signals.ts";
import { isSystemError } from "../os/system-error.ts";
import { isTerminal, makeRaw, windowSize } from "../os/terminal.ts";

export interface Attachment {
  connection: MonitorConnection;
  /** The container's first process; signals go to it. */
  pid: number;
  /** The terminal's size and raw input are the container's. */
  tty: boolean;
  stdin: boolean;
  /** Passes our signals on; undefined where they stay our own. */
  relay: SignalRelay | undefined;
}

export type Ended = { type: "exited"; code: number } | { type: "detached"; code: number } | { type: "lost" };

/** As a shell tells of a program that wrote into a pipe nobody reads: 128 and SIGPIPE's number. */
const UNREAD: Ended = { type: "detached", code: 141 };

/** Not passed on: the terminal's own, and those that concern this process only (docker/cli signals.go). */
const NOT_FORWARDED = new Set(
  "CHLD PIPE URG WINCH KILL STOP CONT TSTP TTIN TTOU PROF SEGV BUS ILL FPE ABRT TRAP SYS IO STKFLT".split(
    " ",
  ),
);

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

/**
 * Passes signals on to a process. It is made before that process exists, and keeps for it what arrives until
 * then: the program's first output may be seen, and answered by a signal, before its start was reported.
 */
export class SignalRelay {
  #pidfd: number | undefined;
  readonly #early: number[] = [];
  /** Told of each that is passed on, before it is. */
  passing: ((signal: number) => void) | undefined;
  readonly #handlers: [NodeJS.Signals, () => void][];

  constructor() {
    this.#handlers = SIGNALS.flatMap((name, index) =>
      NOT_FORWARDED.has(name) ? [] : [[`SIG${name}` as NodeJS.Signals, () => this.#pass(index + 1)]],
    );
    for (const [name, handler] of this.#handlers) process.on(name, handler);
  }

  /** From now on they go to `pid`. */
  forwardTo(pid: number): void {
    this.#pidfd = openProcess(pid);
    for (const signal of this.#early.splice(0)) this.#pass(signal);
  }

  /** Gives the signals their usual meaning back. */
  stop(): void {
    for (const [name, handler] of this.#handlers) process.off(name, handler);
    if (this.#pidfd !== undefined) close(this.#pidfd);
    this.#pidfd = undefined;
  }

  #pass(signal: number): void {
    if (this.#pidfd === undefined) {
      this.#early.push(signal);
      return;
    }
    this.passing?.(signal);
    try {
      pidfdSendSignal(this.#pidfd, signal);
    } catch (error) {
      if (!isSystemError(error, "ESRCH")) throw error;
    }
  }
}

function forwardSize(connection: MonitorConnection): () => void {
  const send = () => {
    const { rows, columns } = windowSize(isTerminal(1) ? 1 : 0);
    if (rows > 0) connection.send(resizeMessage(rows, columns));
  };
  process.on("SIGWINCH", send);
  // It may have changed since the container was given the first one.
  send();
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
    const type = fstat(fd).mode & S_IFMT;
    return type === S_IFIFO || type === S_IFSOCK;
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
 * Runs `body`, which starts or finds a container and stays attached to it. The user's terminal is raw, and
 * signals are caught, from before the container's first byte (else that would be treated twice, and a quick
 * answer to it would hit us), and all is as it was afterwards.
 */
export async function withTerminal<T>(
  { tty, stdin, signals }: { tty: boolean; stdin: boolean; signals: boolean },
  body: (relay: SignalRelay | undefined) => Promise<T>,
): Promise<T> {
  const relay = signals ? new SignalRelay() : undefined;
  const restore = tty && stdin && isTerminal(0) ? makeRaw(0) : undefined;
  try {
    return await body(relay);
  } finally {
    restore?.();
    relay?.stop();
  }
}

const QUICK_MS = 3;

/** Stays until the container ends, the user detaches, or the monitor is gone. Within `withTerminal`. */
export async function stayAttached(attachment: Attachment): Promise<Ended> {
  const { connection, tty, stdin } = attachment;
  attachment.relay?.forwardTo(attachment.pid);
  const stopSize = tty ? forwardSize(connection) : undefined;
  try {
    if (stdin && isTerminal(0)) return await pumpTerminal(connection);
    // Many programs are over before a thread that waits for them were there.
    const early = connection.nextWithin(QUICK_MS);
    const over = early === "none" ? undefined : endOf(early);
    if (over !== undefined) return over;
    const output = hasReader(1) ? 1 : undefined;
    for (;;) {
      const event = await (output === undefined ? connection.next() : connection.nextWhileRead(output));
      // As in Docker the container goes on without us.
      if (event === "unread") return UNREAD;
      const ended = endOf(event);
      if (ended !== undefined) return ended;
    }
  } finally {
    stopSize?.();
  }
}
