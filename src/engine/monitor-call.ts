/** `bocker attend ID`: how a monitor calls the engine, which has no process that could wait for a container. */
import { AT_FDCWD, O_CLOEXEC, O_RDONLY, O_RDWR } from "../os/constants.ts";
import { close, openat, withFd } from "../os/files.ts";
import { spawn } from "../os/processes.ts";
import type { Engine } from "./engine.ts";

/** For the monitor (MonitorConfig.callArgv). */
export function monitorCall(
  { self, paths }: Engine,
  id: string,
  verb = "attend",
): { argv: string[]; env: string[] } {
  return {
    argv: [...self, verb, id],
    env: [`BOCKER_DATA=${paths.data}`, `BOCKER_RUN=${paths.run}`, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
  };
}

/** Calls the engine in the monitor's place, in a session of its own, and does not wait. */
export function callAsMonitor(engine: Engine, id: string, verb?: "stop" | "restart"): void {
  const { argv, env } = monitorCall(engine, id, verb);
  const program = openat(AT_FDCWD, argv[0]!, O_RDONLY | O_CLOEXEC);
  withFd(program, () => {
    const nothing = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
    try {
      spawn(program, argv, env, [nothing, nothing, nothing], true);
    } finally {
      close(nothing);
    }
  });
}
