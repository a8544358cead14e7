/** `exec`: another process in a running container, with the container's own confinement. */

import { BockerError } from "../base/errors.ts";
import { planCgroup } from "../cgroup/plan.ts";
import { MonitorConnection } from "../monitor/connection.ts";
import type { Streams } from "../monitor/protocol.ts";
import { close } from "../os/files.ts";
import { selectCapabilities } from "../runtime/generate/capabilities.ts";
import {
  generateSpec,
  mergeEnvironment,
  processCapabilities,
  processEnvironment,
} from "../runtime/generate/spec.ts";
import { resolveUser } from "../runtime/generate/user.ts";
import { launch } from "../runtime/launch/launcher.ts";
import { joinCgroupOperations } from "../runtime/plan/cgroup.ts";
import { compileExec } from "../runtime/plan/compile.ts";
import { encodePlan } from "../runtime/plan/encode.ts";
import type { Plan } from "../runtime/plan/operation.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths } from "../state/paths.ts";
import { readState } from "../state/status.ts";
import type { Engine } from "./engine.ts";
import { cgroupName } from "./prepare.ts";
import { readRootFile } from "./root-files.ts";
import { seccompProgram } from "./seccomp.ts";
import { awaitStarted, type Started } from "./start.ts";
import { openProcess } from "./stop.ts";

export interface ExecRequest {
  command: string[];
  env: string[];
  /** undefined: the container's */
  user: string | undefined;
  workingDir: string | undefined;
  privileged: boolean;
  tty: boolean;
  /** The process's stdin is open. */
  stdin: boolean;
  terminal: { rows: number; columns: number } | undefined;
  detachKeys: Uint8Array;
  timings: boolean;
}

/** The pid of a container's first process. Throws "not-running" in Docker's words. */
export function runningPid(engine: Engine, record: ContainerRecord): number {
  const state = readState(engine.paths, record.id);
  if (state.status !== "running")
    throw new BockerError("not-running", `container ${record.id} is not running`);
  return state.pid;
}

/** The plan of an exec session. Changes nothing. */
export async function prepareExec(
  engine: Engine,
  record: ContainerRecord,
  pid: number,
  request: ExecRequest,
): Promise<Plan> {
  const { host, config } = record;
  const layers = [`/proc/${pid}/root`];
  const user = resolveUser(
    request.user ?? config.user,
    readRootFile(layers, "/etc/passwd"),
    readRootFile(layers, "/etc/group"),
    host.groupAdd,
  );
  const files = containerPaths(engine.paths, record.id);
  const { machine, paths } = engine;
  const spec = generateSpec({
    record,
    user,
    machine: { ...machine, devices: [] },
    cgroupName: cgroupName(record.id),
    mountPoint: paths.mountPoint,
    files,
  });
  const privileged = request.privileged || host.privileged;
  const bounding = selectCapabilities(
    { add: host.capAdd, drop: host.capDrop, privileged },
    machine.capabilities,
  );
  const { tty } = request;
  const process = {
    ...spec.process,
    terminal: tty,
    args: request.command,
    env: processEnvironment(mergeEnvironment(config.env, request.env), {
      hostname: config.hostname,
      home: user.home,
      tty,
    }),
    cwd: request.workingDir ?? spec.process.cwd,
    capabilities: processCapabilities(bounding, user.uid),
  };
  return {
    operations: compileExec({
      process,
      cgroup: joinCgroupOperations(planCgroup(cgroupName(record.id), spec.linux.resources)),
      seccomp: await seccompProgram(engine, { ...host, privileged }, bounding),
      terminal: tty ? (request.terminal ?? { rows: 0, columns: 0 }) : undefined,
    }),
    timings: request.timings,
    monitor: {
      tty,
      stdin: request.stdin,
      stdinOnce: request.stdin,
      durable: false,
      session: true,
      logPath: "",
      logMaxSize: 0,
      logMaxFiles: 1,
      exitPath: "",
      runDirectory: "",
      oomPath: "",
      detachKeys: request.detachKeys,
      inherited: 1,
      cleanupArgv: [],
      cleanupEnv: [],
    },
  };
}

/**
 * Starts a process in a running container; returns once its program runs.
 * @throws BockerError "not-running", or Docker's reasons with 126 and 127
 */
export async function execInContainer(
  engine: Engine,
  record: ContainerRecord,
  request: ExecRequest,
  streams: Streams | undefined,
): Promise<Started> {
  const pid = runningPid(engine, record);
  const pidfd = openProcess(pid);
  try {
    // Asked again: only now is it certain that the descriptor is this container's.
    if (pidfd === undefined || runningPid(engine, record) !== pid)
      throw new BockerError("not-running", `container ${record.id} is not running`);
    const plan = await prepareExec(engine, record, pid, request);
    const launched = launch(encodePlan(plan), `bocker-exec ${record.id.slice(0, 12)}`, [pidfd], (socket) => {
      if (streams !== undefined) new MonitorConnection(socket).attach(streams, request.tty);
    });
    const connection = new MonitorConnection(launched.socket);
    try {
      return { connection, plan, ...awaitStarted(connection, plan) };
    } catch (error) {
      connection.close();
      throw error;
    }
  } finally {
    if (pidfd !== undefined) close(pidfd);
  }
}
