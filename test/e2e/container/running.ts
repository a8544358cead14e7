/** Containers that tests look at: in the background, or for the length of one script. */
import { IMAGE } from "../busybox.ts";
import type { Result, Sandbox } from "../sandbox.ts";

export interface Running {
  id: string;
  /** Of its first process, as the machine counts. */
  pid: number;
}

/** Sleeps as long as any test runs; as pid 1 it ignores what it has no handler for. */
export const SLEEP = ["sleep", "100000"];

export function pidOf(sandbox: Sandbox, container: string): number {
  return Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", container]));
}

/** A container in the background, without a network unless the options name one. */
export function runDetached(sandbox: Sandbox, options: string[], command: string[] = SLEEP): Running {
  const network = options.includes("--network") || options.includes("-p") ? [] : ["--network", "none"];
  const id = sandbox.ok(["run", "-d", ...network, ...options, IMAGE, ...command]);
  return { id, pid: pidOf(sandbox, id) };
}

/** Runs `body` with a container in the background, and removes it with its volumes. */
export function withRunning<T>(
  sandbox: Sandbox,
  options: string[],
  body: (running: Running) => T,
  command?: string[],
): T {
  const running = runDetached(sandbox, options, command);
  try {
    return body(running);
  } finally {
    sandbox.ok(["rm", "-f", "-v", running.id]);
  }
}

/** `sh -c script` in a container of its own that is removed. */
export function tryScript(sandbox: Sandbox, options: string[], script: string, input = ""): Result {
  const network = options.includes("--network") ? [] : ["--network", "none"];
  return sandbox.bocker(["run", "--rm", ...network, ...options, IMAGE, "sh", "-c", script], input);
}

/** As tryScript, for what must work: its output without the last newline. */
export function script(sandbox: Sandbox, options: string[], text: string, input = ""): string {
  const { code, stdout, stderr } = tryScript(sandbox, options, text, input);
  if (code !== 0) throw new Error(`${options.join(" ")}: ${text}: exited with ${code}: ${stderr}${stdout}`);
  return stdout.replace(/\n$/, "");
}
