/** The last operation of a plan: the process becomes the container's program. */
import { BockerError } from "../../base/errors.ts";
import { DEFAULT_PATH } from "../generate/environment.ts";
import type { Operation } from "./operation.ts";

/** The paths execve is tried with, as execvp(3) would: PATH is the container's own. */
function execCandidates(program: string, env: string[]): string[] {
  if (program.includes("/")) return [program];
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice(5) ?? DEFAULT_PATH;
  return path.split(":").map((directory) => `${directory === "" ? "." : directory}/${program}`);
}

/** Throws BockerError "invalid" for a command line without a word. */
export function execOperation(args: string[], env: string[]): Operation {
  const program = args[0];
  if (program === undefined) throw new BockerError("invalid", "no command specified");
  return {
    op: "exec",
    phase: "container",
    group: "exec",
    what: `execute ${args.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(" ")}`,
    why: "the launcher's image is replaced by the container's program",
    argv: args,
    env,
    candidates: execCandidates(program, env),
  };
}
