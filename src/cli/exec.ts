/** `bocker exec` */
import { BockerError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { type ExecRequest, execInContainer, runningPid } from "../engine/exec.ts";
import { isTerminal, windowSize } from "../os/terminal.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { callerStreams, stayAttached, withTerminal } from "./attached.ts";
import type { Command } from "./command.ts";
import { checkExplainFormat, printExplanation } from "./explain.ts";
import type { Flag, FlagValues } from "./flags.ts";
import { interruptible } from "./interruption.ts";
import { parseDetachKeys, parseEnvironment, readEnvironmentFile } from "./values.ts";

const FLAGS: readonly Flag[] = [
  { name: "detach", short: "d", kind: "bool", help: "Detached mode: run command in the background" },
  { name: "detach-keys", kind: "string", help: "Override the key sequence for detaching a container" },
  { name: "env", short: "e", kind: "list", help: "Set environment variables" },
  { name: "env-file", kind: "list", help: "Read in a file of environment variables" },
  {
    name: "explain",
    kind: "optional",
    help: "Print what would be done, step by step, and why;\n=json the plan itself, =sh a shell script",
  },
  { name: "interactive", short: "i", kind: "bool", help: "Keep STDIN open even if not attached" },
  { name: "privileged", kind: "bool", help: "Give extended privileges to the command" },
  { name: "tty", short: "t", kind: "bool", help: "Allocate a pseudo-TTY" },
  { name: "undo", kind: "bool", help: "Keep the container's files as they are before, for undo" },
  { name: "user", short: "u", kind: "string", help: 'Username or UID (format: "<name|uid>[:<group|gid>]")' },
  { name: "workdir", short: "w", kind: "string", help: "Working directory inside the container" },
];

/** What the flags ask for. */
function execRequest(values: FlagValues): ExecRequest {
  const tty = values.bool("tty");
  return {
    command: values.positional.slice(1),
    env: [...values.list("env-file").flatMap(readEnvironmentFile), ...parseEnvironment(values.list("env"))],
    user: values.string("user"),
    workingDir: values.string("workdir"),
    privileged: values.bool("privileged"),
    tty,
    stdin: values.bool("interactive"),
    terminal: tty ? windowSize(isTerminal(1) ? 1 : 0) : undefined,
    detachKeys: parseDetachKeys(values.string("detach-keys")),
    timings: false,
  };
}

async function explain(
  values: FlagValues,
  engine: Engine,
  request: ExecRequest,
  format: string,
): Promise<number> {
  checkExplainFormat(format);
  const { explainExec } = await import("../engine/explain.ts");
  const record = engine.containers.find(values.positional[0] ?? "");
  return printExplanation(format, await explainExec(engine, record, request));
}

/** The files as they are before. Of a container that does not run nothing is kept. */
async function keep(engine: Engine, record: ContainerRecord, command: readonly string[]): Promise<void> {
  runningPid(engine, record);
  const { keepFiles } = await import("../engine/undo.ts");
  await interruptible((signal) => keepFiles(engine, record, ["exec", ...command].join(" "), signal));
}

export const execCommand: Command = {
  name: "exec",
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  summary: "Execute a command in a running container",
  flags: FLAGS,
  interspersed: false,
  repair: "boot",
  words: { least: 2 },
  async run(values, engine) {
    const request = execRequest(values);
    const format = values.string("explain");
    if (format !== undefined) return explain(values, engine.dryRun(), request, format);
    const record = engine.containers.find(values.positional[0] ?? "");
    const { tty } = request;
    const detach = values.bool("detach");
    const stdin = request.stdin && !detach;
    if (tty && stdin && !isTerminal(0)) throw new BockerError("invalid", "the input device is not a TTY");
    if (values.bool("undo") || record.host.undo !== undefined) await keep(engine, record, request.command);
    if (detach) {
      (await execInContainer(engine, record, request, undefined)).connection.close();
      return 0;
    }
    const ended = await withTerminal({ tty, stdin, signals: false }, async (relay) => {
      const started = await execInContainer(engine, record, request, callerStreams({ stdin, tty }));
      // Docker's exec passes no signals on: Ctrl-C ends the client, and with a terminal it is a key.
      return stayAttached({ ...started, tty, stdin, relay });
    });
    if (ended.type === "detached") return ended.code;
    return ended.type === "exited" ? ended.code : 126;
  },
};
