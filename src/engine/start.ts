/** `start`: a recorded container becomes a running one. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { MonitorConnection } from "../monitor/connection.ts";
import type { MonitorEvent, Streams } from "../monitor/protocol.ts";
import { messageOfErrno } from "../os/system-error.ts";
import { LAUNCHED, launch } from "../runtime/launch/launcher.ts";
import { encodePlan } from "../runtime/plan/encode.ts";
import type { Operation, Plan } from "../runtime/plan/operation.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { lock } from "../state/locks.ts";
import { containerPaths } from "../state/paths.ts";
import { readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";
import { type NetworkPlan, planNetwork, releaseNetwork } from "./network.ts";
import { prepareStart, type StartOptions } from "./prepare.ts";
import { awaitMonitor } from "./stop.ts";

export interface Started {
  connection: MonitorConnection;
  plan: Plan;
  pid: number;
  /** CLOCK_MONOTONIC nanoseconds after each operation, where timings were asked for. */
  times: BigUint64Array | undefined;
}

const EACCES = 13;
const ENOENT = 2;
const ENOTDIR = 20;
const ENOEXEC = 8;

/** Why the launcher could not go on, in words; for the program itself with Docker's exit codes. */
export function startError(plan: Plan, event: Extract<MonitorEvent, { type: "failed" }>): BockerError {
  const operation: Operation | undefined =
    event.operation === undefined ? undefined : plan.operations[event.operation];
  const reason = messageOfErrno(event.errno);
  if (operation === undefined)
    return new BockerError("internal", `the launcher could not read its plan: ${reason}`);
  if (operation.op !== "exec")
    return new BockerError("start-failed", `failed to create the container: ${operation.what}: ${reason}`);
  const program = operation.argv[0] ?? "";
  if (event.errno === ENOENT || event.errno === ENOTDIR)
    return new BockerError(
      "command-not-found",
      program.includes("/")
        ? `exec: ${JSON.stringify(program)}: stat ${program}: ${reason}`
        : `exec: ${JSON.stringify(program)}: executable file not found in $PATH`,
    );
  if (event.errno === EACCES || event.errno === ENOEXEC)
    return new BockerError("not-executable", `exec: ${JSON.stringify(program)}: ${reason}`);
  return new BockerError("start-failed", `exec: ${JSON.stringify(program)}: ${reason}`);
}

/** Waits for the first word of a launcher: it runs, or why not. */
export function awaitStarted(
  connection: MonitorConnection,
  plan: Plan,
): { pid: number; times: BigUint64Array | undefined } {
  let times: BigUint64Array | undefined;
  for (;;) {
    const event = connection.nextBlocking();
    if (event === undefined)
      throw new BockerError("internal", "the launcher ended without a word: was it killed?");
    if (event.type === "timings") times = event.times;
    else if (event.type === "failed") throw startError(plan, event);
    else if (event.type === "started") return { pid: event.pid, times };
  }
}

/**
 * Starts a container; returns once its program runs.
 * @param streams attached before the program's first byte
 * @throws BockerError with Docker's reasons; the container is then as it was before
 */
export async function startContainer(
  engine: Engine,
  record: ContainerRecord,
  streams: Streams | undefined,
  options: StartOptions,
): Promise<Started> {
  const files = containerPaths(engine.paths, record.id);
  if (readState(engine.paths, record.id).status === "exited") await awaitMonitor(engine, record.id);
  const held = lock(engine.paths.locks, record.id);
  let network: NetworkPlan | undefined;
  try {
    if (readState(engine.paths, record.id).status === "running")
      throw new BockerError("conflict", `container ${shortId(record.id)} is already running`);
    network = planNetwork(engine, record);
    options.mark?.("decide the network");
    mkdirSync(files.run, { recursive: true, mode: 0o700 });
    const { plan } = await prepareStart(engine, record, network, options);
    rmSync(files.exit, { force: true });
    writeFileSync(files.started, "", { mode: 0o600 });
    const encoded = encodePlan(plan);
    options.mark?.("compile the plan");
    // The launcher keeps the lock until it has written the state: if we are killed, repair waits for that.
    const inherited = held === undefined ? network.inherited : [...network.inherited, held.fd];
    const launched = launch(encoded, `bocker-monitor ${shortId(record.id)}`, inherited, (socket) => {
      if (streams !== undefined) new MonitorConnection(socket).attach(streams, record.config.tty);
    });
    options.mark?.(LAUNCHED);
    const connection = new MonitorConnection(launched.socket);
    try {
      return { connection, plan, ...awaitStarted(connection, plan) };
    } catch (error) {
      connection.close();
      rmSync(files.started, { force: true });
      throw error;
    }
  } catch (error) {
    if (network !== undefined) releaseNetwork(engine, record.id);
    throw error;
  } finally {
    network?.close();
    held?.release();
  }
}
