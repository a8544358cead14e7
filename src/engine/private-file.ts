/** The step that writes a file of bocker's own. */
import type { WriteStep } from "./steps.ts";

/** Of a container's start; nobody else may read it. */
export function privateFile(path: string, content: string, why: string): WriteStep {
  return { step: "file", group: "exec", what: `write ${path}`, why, path, content, mode: 0o600 };
}
