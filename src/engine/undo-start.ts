/** After a start that has failed. */
import { BockerError, messageOf } from "../base/errors.ts";
import { removeCgroups } from "../cgroup/remove.ts";
import { removeFile } from "../os/host-files.ts";
import type { ContainerRecord, ContainerState } from "../spec/container.ts";
import { writeExit } from "../state/exit.ts";
import { containerPaths } from "../state/paths.ts";
import { LauncherLost } from "./await-started.ts";
import { containerCgroup } from "./cgroup.ts";
import type { Engine } from "./engine.ts";
import { dropPublished } from "./ports.ts";
import { forgetRestart } from "./restart-policy.ts";

/** Takes away what the start's launcher made in the kernel, if that could not, for somebody had killed it. */
export function undoStart(record: ContainerRecord, error: unknown): void {
  if (!(error instanceof LauncherLost)) return;
  dropPublished(record);
  removeCgroups(containerCgroup(record));
}

/** As Docker has them for State.ExitCode (moby, daemon/start.go, setExitCodeFromError). */
function failureCode(error: unknown): number {
  const code = error instanceof BockerError ? error.code : undefined;
  if (code === "command-not-found") return 127;
  return code === "not-executable" ? 126 : 128;
}

/**
 * Records why a container could not be started, for whoever looks later: of a start by its restart policy nobody else is told.
 * Besides it is what it was `before`. The caller holds its lock.
 */
export function recordFailure(
  engine: Engine,
  { id }: ContainerRecord,
  before: ContainerState,
  error: unknown,
): void {
  forgetRestart(engine, id);
  if (before.status === "created") removeFile(containerPaths(engine.paths, id).started);
  const finished = before.status === "exited" ? before.finished : "0001-01-01T00:00:00Z";
  const exit = { code: failureCode(error), oom: false, finished, error: messageOf(error) };
  writeExit(engine.paths, id, exit, false);
}
