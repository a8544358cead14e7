/** `bocker cleanup ID`: how a container's end is told to the engine, which has no process that could wait for it. */
import { AT_FDCWD, O_CLOEXEC, O_RDONLY, O_RDWR } from "../os/constants.ts";
import { close, openat, withFd } from "../os/files.ts";
import { spawn } from "../os/processes.ts";
import type { Engine } from "./engine.ts";

/** For the monitor, which calls it (MonitorConfig.cleanupArgv). */
export function cleanupCall({ self, paths }: Engine, id: string): { argv: string[]; env: string[] } {
  return {
    argv: [...self, "cleanup", id],
    env: [`BOCKER_DATA=${paths.data}`, `BOCKER_RUN=${paths.run}`, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
  };
}

/** Calls it in the monitor's place, and does not wait. */
export function callCleanup(engine: Engine, id: string): void {
  const { argv, env } = cleanupCall(engine, id);
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
