/**
 * A container's files as it sees them: its image and its changes, with volumes and other mounts. They are looked up below one
 * descriptor, by RESOLVE_IN_ROOT: nothing that the container does to its links meanwhile leads out of it (CVE-2018-15664).
 *
 * Of a running container they are what its own processes see, but no process enters it. Of any other the launcher mounts
 * them in a namespace of its own, as for a start, which ends with it; the container's lock is held so long, and nobody starts
 * or removes it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { BockerError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { readLayout } from "../cgroup/layout.ts";
import { planMonitor } from "../cgroup/monitors.ts";
import { MonitorConnection } from "../monitor/connection.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, POLLIN } from "../os/constants.ts";
import { Facts } from "../os/facts.ts";
import { close, openat, pipe } from "../os/files.ts";
import { exists } from "../os/host-files.ts";
import { ENDING_MS, endsWithin, pollAsync } from "../os/processes.ts";
import { messageOfErrno } from "../os/system-error.ts";
import { fileMounts } from "../runtime/generate/spec.ts";
import { dismiss, sendPart } from "../runtime/launch/launcher.ts";
import { encodePlan } from "../runtime/plan/encode.ts";
import { filesOperations } from "../runtime/plan/files.ts";
import type { Operation } from "../runtime/plan/operation.ts";
import { SESSION } from "../runtime/plan/session.ts";
import type { ContainerRecord } from "../spec/container.ts";
import type { Lock } from "../state/locks.ts";
import { containerPaths } from "../state/paths.ts";
import { readState } from "../state/status.ts";
import { abortable } from "./abortable.ts";
import { lockContainer } from "./container-lock.ts";
import type { Engine } from "./engine.ts";
import { storageOf } from "./fresh-start.ts";
import { launchMonitor } from "./launch-monitor.ts";
import { awaitMonitor, openRunning } from "./stop.ts";

export interface ContainerFiles {
  /** O_PATH, of the container's root. */
  root: number;
  isRunning: boolean;
  /** Aborted when the container ends, too: what is written after that, another start might not see. */
  signal: AbortSignal;
}

type Use<T> = (files: ContainerFiles) => Promise<T>;

/** Aborts as soon as the process has ended; until the result is called. */
function abortAtEnd(pidfd: number, abort: AbortController): () => Promise<void> {
  const wake = pipe();
  const watching = pollAsync(
    [
      { fd: pidfd, events: POLLIN },
      { fd: wake.read, events: 0 },
    ],
    -1,
  ).then((events) => {
    if (events[0] !== 0) abort.abort();
  });
  return async () => {
    close(wake.write);
    await watching;
    close(wake.read);
  };
}

/** Undefined where it does not run (any more). */
async function ofRunning<T>(
  engine: Engine,
  { id }: ContainerRecord,
  signal: AbortSignal | undefined,
  use: Use<T>,
): Promise<{ result: T } | undefined> {
  const running = openRunning(engine, id);
  if (running === undefined) return undefined;
  const { init, pid } = running;
  try {
    const root = openRootOf(pid, init);
    if (root === undefined) return undefined;
    try {
      return await abortable(signal, async (abort) => {
        const stopWatching = abortAtEnd(init, abort);
        try {
          return { result: await use({ root, isRunning: true, signal: abort.signal }) };
        } finally {
          await stopWatching();
        }
      });
    } finally {
      close(root);
    }
  } finally {
    close(init);
    if (running.monitor !== undefined) close(running.monitor);
  }
}

/** The root of the process; undefined once it ends: before its end is seen, it has none. */
function openRootOf(pid: number, pidfd: number): number | undefined {
  let root: number;
  try {
    root = openat(AT_FDCWD, `/proc/${pid}/root`, O_PATH | O_DIRECTORY | O_CLOEXEC);
  } catch (error) {
    if (endsWithin(pidfd, ENDING_MS)) return undefined;
    throw error;
  }
  // Only of a process that is still there the number was its own.
  if (!endsWithin(pidfd, 0)) return root;
  close(root);
  return undefined;
}

/** Milliseconds between two looks at a container that is ending. */
const POLL_MS = 10;

async function operationsOf(engine: Engine, record: ContainerRecord): Promise<Operation[]> {
  const files = containerPaths(engine.paths, record.id);
  const own = new Set([files.hosts, files.hostname, files.resolv]);
  // Those are made by its first start.
  const mounts = fileMounts({ record, files }).filter(({ source }) => !own.has(source) || exists(source));
  const facts = new Facts();
  const fileSources = mounts.map(({ source }) => source).filter((source) => facts.isFile(source));
  return filesOperations({
    storage: await storageOf(engine, record, false),
    readonlyRoot: record.host.readonlyRoot,
    mounts,
    fileSources: new Set(fileSources),
  });
}

/**
 * The launcher has the lock, too: whoever wants it waits until the files are mounted no more, which takes as long as the
 * disk needs for what was written to it by anybody (overlayfs syncs). This one does not.
 */
async function ofStopped<T>(
  engine: Engine,
  record: ContainerRecord,
  held: Lock,
  signal: AbortSignal | undefined,
  use: Use<T>,
): Promise<T> {
  const operations = await operationsOf(engine, record);
  const launched = launchMonitor(planMonitor(readLayout()), `bocker-files ${shortId(record.id)}`, () => {});
  try {
    const monitor = { ...SESSION, locked: true };
    sendPart(launched, encodePlan({ operations, monitor, timings: false }), [held.fd], false);
    const root = new MonitorConnection(launched.socket).receiveDescriptor();
    if (typeof root !== "number") {
      const failed = root?.type === "failed" ? root : undefined;
      const step = operations[failed?.operation ?? -1]?.what ?? "the launcher ended without a word";
      const reason = failed === undefined ? "" : `: ${messageOfErrno(failed.errno)}`;
      throw new BockerError(
        "start-failed",
        `cannot mount the files of container ${record.name}: ${step}${reason}`,
      );
    }
    try {
      return await abortable(signal, (abort) => use({ root, isRunning: false, signal: abort.signal }));
    } finally {
      close(root);
    }
  } finally {
    dismiss(launched);
  }
}

/** Runs `use` with the files of a container, whatever it is doing. What `use` opens of them it must have closed when it resolves. */
export async function withContainerFiles<T>(
  engine: Engine,
  record: ContainerRecord,
  signal: AbortSignal | undefined,
  use: Use<T>,
): Promise<T> {
  for (;;) {
    const done = await ofRunning(engine, record, signal, use);
    if (done !== undefined) return done.result;
    // Its root is mounted until its monitor has gone.
    if (readState(engine.paths, record.id).status === "exited") await awaitMonitor(engine, record);
    const held = lockContainer(engine, record);
    try {
      if (readState(engine.paths, record.id).status !== "running")
        return await ofStopped(engine, record, held, signal, use);
    } finally {
      held.release();
    }
    // It is just ending, or has just begun.
    await delay(POLL_MS);
    if (signal?.aborted === true) throw new BockerError("interrupted", "interrupted");
  }
}
