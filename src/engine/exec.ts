/** `exec`: another process in a running container, with the container's own confinement. */

import { BockerError } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import { planJoin } from "../cgroup/join.ts";
import { readLayout } from "../cgroup/layout.ts";
import { type MonitorPlace, planMonitor } from "../cgroup/monitors.ts";
import { MonitorConnection } from "../monitor/connection.ts";
import type { Streams } from "../monitor/protocol.ts";
import { close } from "../os/files.ts";
import { ENDING_MS, endsWithin, openProcess } from "../os/processes.ts";
import { readRootFile } from "../os/root-files.ts";
import { isSystemError } from "../os/system-error.ts";
import { selectCapabilities } from "../runtime/generate/capabilities.ts";
import { mergeEnvironment, processEnvironment } from "../runtime/generate/environment.ts";
import { processCapabilities, processOf } from "../runtime/generate/spec.ts";
import { resolveUser } from "../runtime/generate/user.ts";
import { sendPart } from "../runtime/launch/launcher.ts";
import { joinCgroupOperations } from "../runtime/plan/cgroup.ts";
import { compileExec } from "../runtime/plan/compile.ts";
import { encodePlan } from "../runtime/plan/encode.ts";
import { EVENT_CODE, type Plan } from "../runtime/plan/operation.ts";
import { SESSION } from "../runtime/plan/session.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { eventHead } from "../state/events.ts";
import { isRestarting, readState } from "../state/status.ts";
import { awaitStarted, type Started } from "./await-started.ts";
import { containerCgroup } from "./cgroup.ts";
import { containerEvent, eventsOperation } from "./container-events.ts";
import type { Engine } from "./engine.ts";
import { launchMonitor } from "./launch-monitor.ts";
import { seccompProgram } from "./seccomp.ts";

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

/** The pid of a container's first process. Throws "not-running" in Docker's words, "conflict" for one that is paused. */
export function runningPid(
  engine: Engine,
  record: ContainerRecord,
  what: "exec" | "attach" = "exec",
): number {
  const state = readState(engine.paths, record.id);
  if (isRestarting(state))
    throw new BockerError(
      "conflict",
      `Container ${record.id} is restarting, wait until the container is running`,
    );
  if (state.status !== "running")
    throw new BockerError("not-running", `container ${record.id} is not running`);
  if (state.paused)
    throw new BockerError(
      "conflict",
      `container ${record.id} is paused, unpause the container before ${what}`,
    );
  return state.pid;
}

/** What the exec's monitor tells: first that it is made, and, whether the program runs or not, begun; as Docker has it. */
function execEvents({ paths }: Engine, record: ContainerRecord, [program, ...args]: string[]) {
  const execID = newId();
  const line = (added: number, action: string) =>
    `${added}${eventHead(containerEvent(record, action, { execID }))}\n`;
  const words = `${program} ${args.join(" ")}`;
  return {
    first: eventsOperation(
      paths,
      "host",
      "an exec is made and begins",
      line(0, `exec_create: ${words}`) + line(0, `exec_start: ${words}`),
    ),
    last: eventsOperation(paths, "ended", "the exec has ended, and how", line(EVENT_CODE, "exec_die")),
  };
}

/** The plan of an exec session, and where its launcher is born. Changes nothing. */
export async function prepareExec(
  engine: Engine,
  record: ContainerRecord,
  pid: number,
  request: ExecRequest,
): Promise<{ plan: Plan; place: MonitorPlace }> {
  const { host, config } = record;
  const layers = [`/proc/${pid}/root`];
  const user = resolveUser(
    request.user ?? config.user,
    readRootFile(layers, "/etc/passwd"),
    readRootFile(layers, "/etc/group"),
    host.groupAdd,
  );
  const { machine } = engine;
  const own = processOf({ record, machine: { ...machine, devices: [] } }, user);
  const capabilitiesOf = (privileged: boolean) =>
    selectCapabilities({ add: host.capAdd, drop: host.capDrop, privileged }, machine.capabilities);
  const bounding = capabilitiesOf(request.privileged || host.privileged);
  const { tty } = request;
  const process = {
    ...own,
    terminal: tty,
    args: request.command,
    env: processEnvironment(mergeEnvironment(config.env, request.env), {
      hostname: config.hostname,
      home: user.home,
      tty,
    }),
    cwd: request.workingDir ?? own.cwd,
    capabilities: processCapabilities(bounding, user.uid),
  };
  const layout = readLayout();
  const place = planMonitor(layout);
  const told = execEvents(engine, record, request.command);
  const plan: Plan = {
    operations: [
      told.first,
      ...compileExec({
        process,
        cgroup: joinCgroupOperations(planJoin(containerCgroup(record), pid, layout), place),
        // As docker: --privileged gives an exec every capability, and leaves it under the container's own filter.
        seccomp: await seccompProgram(engine, host, capabilitiesOf(host.privileged)),
        terminal: tty ? (request.terminal ?? { rows: 0, columns: 0 }) : undefined,
      }),
      told.last,
    ],
    timings: request.timings,
    monitor: {
      ...SESSION,
      tty,
      stdin: request.stdin,
      stdinOnce: request.stdin,
      detachKeys: request.detachKeys,
    },
  };
  return { plan, place };
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
    const { plan, place } = await prepareExec(engine, record, pid, request);
    const bytes = encodePlan(plan);
    const launched = launchMonitor(place, `bocker-exec ${record.id.slice(0, 12)}`, (socket) => {
      if (streams !== undefined) new MonitorConnection(socket).attach(streams, request.tty);
    });
    sendPart(launched, bytes, [pidfd], true);
    const connection = new MonitorConnection(launched.socket);
    try {
      const carriedOut = async () => plan;
      return { connection, plan: carriedOut, ...(await awaitStarted(connection, carriedOut)) };
    } catch (error) {
      connection.close();
      throw error;
    }
  } catch (error) {
    // Whatever fails because it has ended meanwhile: that is what is said, before its monitor has recorded it, too.
    runningPid(engine, record);
    // A process that ends has left its root and its namespaces before it is seen to have ended.
    const cause = error instanceof BockerError ? error.cause : error;
    const isEnding = isSystemError(cause, "ENOENT", "ESRCH");
    if (pidfd !== undefined && endsWithin(pidfd, isEnding ? ENDING_MS : 0))
      throw new BockerError("not-running", `container ${record.id} is not running`);
    throw error;
  } finally {
    if (pidfd !== undefined) close(pidfd);
  }
}
