/** What a launcher would have undone, had nobody killed it. */
import { removeCgroups } from "../cgroup/remove.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { LauncherLost } from "./await-started.ts";
import { containerCgroup } from "./cgroup.ts";
import { dropPublished } from "./ports.ts";

/** After a start that failed with `error`: takes away what its launcher made in the kernel, if that could not. */
export function undoStart(record: ContainerRecord, error: unknown): void {
  if (!(error instanceof LauncherLost)) return;
  dropPublished(record);
  removeCgroups(containerCgroup(record));
}
