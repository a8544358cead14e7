/** Carries out the engine's own steps on files and cgroups; what they are is decided where they are made. */
import { readHere, words } from "../cgroup/read.ts";
import { makeDirectory, setMode, writeFile } from "../os/host-files.ts";
import { isSystemError } from "../os/system-error.ts";
import type { Step } from "../runtime/plan/step.ts";

export type FileStep = Extract<Step, { step: "directory" | "file" }>;
/** What the storage driver carries out. */
export type CloneStep = Extract<Step, { step: "clone" }>;
/** A file alone. */
export type WriteStep = Extract<Step, { step: "file" }>;
export type CgroupStep = Extract<Step, { step: "cgroup" | "evacuate" }>;

/** A directory that must not exist yet, or a file that is written anew. */
export function performFileStep(step: FileStep): void {
  if (step.step === "file") writeFile(step.path, step.content, { mode: step.mode });
  else makeDirectory(step.path, step.mode);
  // Whatever the caller's umask is.
  setMode(step.path, step.mode);
}

/** What is moved may make processes meanwhile: they are found in the next round. */
const ROUNDS = 10;

function evacuate(from: string, to: string): void {
  for (let round = 0; round < ROUNDS; round++) {
    // 0: one that this pid namespace does not see, and that only its own may move.
    const pids = words(readHere(`${from}/cgroup.procs`)).filter((pid) => pid !== "0");
    if (pids.length === 0) return;
    for (const pid of pids)
      try {
        writeFile(`${to}/cgroup.procs`, pid);
      } catch (error) {
        // It has ended by now.
        if (!isSystemError(error, "ESRCH")) throw error;
      }
  }
}

/** A cgroup that may exist, or moving the processes of one. */
export function performCgroupStep(step: CgroupStep): void {
  if (step.step === "evacuate") {
    evacuate(step.from, step.to);
    return;
  }
  try {
    makeDirectory(step.path, 0o755);
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
  }
}
