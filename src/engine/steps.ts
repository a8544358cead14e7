/** Carries out the engine's own steps on files; what they are is decided where they are made. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import type { Step } from "../runtime/plan/step.ts";

export type FileStep = Extract<Step, { step: "directory" | "file" }>;

/** A directory that must not exist yet, or a file that is written anew. */
export function performFileStep(step: FileStep): void {
  if (step.step === "file") writeFileSync(step.path, step.content, { mode: step.mode });
  else mkdirSync(step.path, { mode: step.mode });
  // Whatever the caller's umask is.
  chmodSync(step.path, step.mode);
}
