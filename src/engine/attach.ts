/** `attach`: the streams of a container that runs already. */
import { BockerError } from "../base/errors.ts";
import { MonitorConnection } from "../monitor/connection.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths } from "../state/paths.ts";
import { recordContainerEvents } from "./container-events.ts";
import type { Engine } from "./engine.ts";
import { runningPid } from "./exec.ts";

/** A connection to the container's monitor, and the pid that signals go to. Throws "not-running", "conflict". */
export function connectMonitor(
  engine: Engine,
  record: ContainerRecord,
): { connection: MonitorConnection; pid: number } {
  const pid = runningPid(engine, record, "attach");
  const connection = MonitorConnection.open(containerPaths(engine.paths, record.id).attach);
  if (connection === undefined) throw new BockerError("not-running", `container ${record.id} is not running`);
  recordContainerEvents(engine, record, "attach");
  return { connection, pid };
}
