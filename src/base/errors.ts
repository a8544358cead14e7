/**
 * The closed list of ways bocker can fail. Each door (cli, api, sdk) maps a code once:
 * the CLI to an exit code, the API to an HTTP status.
 */
export type ErrorCode =
  | "usage" // the command line is wrong
  | "invalid" // a value is malformed or out of range
  | "unsupported" // Docker has it, bocker does not (yet)
  | "not-found"
  | "conflict" // a name is taken, an object is in use
  | "busy" // another process does not let go of the state
  | "not-running"
  | "denied" // the registry or the kernel refused credentials or permission
  | "registry" // the registry answered with an error or nonsense
  | "corrupt" // stored or received bytes are not what their digest or schema says
  | "no-space"
  | "start-failed" // the container could not be set up
  | "not-executable" // 126
  | "command-not-found" // 127
  | "platform" // this machine cannot do it
  | "interrupted"
  | "internal";

/** An error for the person at the terminal: what was asked, what went wrong, what to do. */
export class BockerError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "BockerError";
    this.code = code;
  }
}

/** The message of anything thrown, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
