/** From the words of the command line to a command's exit code. The one place where errors get theirs. */
import { BockerError, type ErrorCode, messageOf } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import type { Command } from "./command.ts";
import { type Flag, parseFlags } from "./flags.ts";
import { commandHelp, overview } from "./help.ts";
import { COMMANDS } from "./index.ts";
import { print, printError, visible } from "./output.ts";

/** Commands whose failures carry Docker's special exit codes, apart from those of the program they run. */
const RUNS_A_PROGRAM = new Set(["run", "exec", "create", "start"]);

const GLOBAL_FLAGS: readonly Flag[] = [
  { name: "data-root", kind: "string", help: "" },
  { name: "run-root", kind: "string", help: "" },
  { name: "version", short: "v", kind: "bool", help: "" },
  { name: "help", kind: "bool", help: "" },
  { name: "debug", short: "D", kind: "bool", help: "", unsupported: true },
  { name: "host", short: "H", kind: "list", help: "", unsupported: true },
  { name: "log-level", short: "l", kind: "string", help: "", unsupported: true },
  { name: "config", kind: "string", help: "", unsupported: true },
  { name: "context", short: "c", kind: "string", help: "", unsupported: true },
];

/** Docker's exit codes: 125 the engine failed, 126 cannot be executed, 127 not found; else 1. */
export function exitCodeOf(code: ErrorCode, command: string): number {
  if (code === "interrupted") return 130;
  if (!RUNS_A_PROGRAM.has(command)) return code === "usage" || code === "unsupported" ? 125 : 1;
  if (code === "command-not-found") return 127;
  if (code === "not-executable") return 126;
  if (command === "exec" || command === "start") return code === "usage" || code === "unsupported" ? 125 : 1;
  return 125;
}

function report(error: unknown, command: Command): number {
  const code: ErrorCode = error instanceof BockerError ? error.code : "internal";
  const message = messageOf(error).split("\n").map(visible).join("\n");
  if (code === "usage")
    printError(
      `${message}\n\nUsage:  bocker ${command.name} ${command.usage}\n\nRun 'bocker ${command.name} --help' for more information`,
    );
  else if (command.name === "run" || command.name === "create")
    printError(`bocker: ${message}\n\nRun 'bocker ${command.name} --help' for more information`);
  else printError(`Error: ${message}`);
  if (code === "internal" && process.env["BOCKER_DEBUG"] !== undefined && error instanceof Error)
    printError(error.stack ?? "");
  return exitCodeOf(code, command.name);
}

function checkWords(command: Command, count: number): void {
  const { least, most } = command.words;
  if (count >= least && (most === undefined || count <= most)) return;
  const plural = (n: number) => `${n} argument${n === 1 ? "" : "s"}`;
  const wanted =
    most === undefined
      ? `requires at least ${plural(least)}`
      : most === least
        ? least === 0
          ? "accepts no arguments"
          : `requires ${plural(least)}`
        : `requires at least ${least} and at most ${plural(most)}`;
  throw new BockerError("usage", `bocker ${command.name}: 'bocker ${command.name}' ${wanted}`);
}

async function runCommand(command: Command, words: string[], engine: () => Engine): Promise<number> {
  try {
    const flags: Flag[] = [...command.flags, { name: "help", kind: "bool", help: "Print usage" }];
    const values = parseFlags(flags, words, command.interspersed ?? true);
    if (values.bool("help")) {
      print(commandHelp(command));
      return 0;
    }
    checkWords(command, values.positional.length);
    const instance = engine();
    if (command.repair !== "none" && !values.has("explain")) await repairFirst(instance, command);
    return await command.run(values, instance);
  } catch (error) {
    return report(error, command);
  }
}

/** After a crash or a reboot the next command puts things right, and says so. */
async function repairFirst(engine: Engine, command: Command): Promise<void> {
  const { repair } = await import("../engine/repair.ts");
  for (const line of repair(engine, command.repair !== "boot"))
    printError(`bocker: repaired: ${visible(line)}`);
}

function printOverview(): void {
  print(overview(COMMANDS.filter(({ hidden }) => hidden !== true)));
}

/** Runs one command line. `makeEngine` gets --data-root and --run-root, where given. */
export async function dispatch(
  words: string[],
  version: string,
  makeEngine: (data: string | undefined, run: string | undefined) => Engine,
): Promise<number> {
  let global: ReturnType<typeof parseFlags>;
  try {
    global = parseFlags(GLOBAL_FLAGS, words, false);
  } catch (error) {
    printError(`${messageOf(error)}\n\nRun 'bocker --help' for more information`);
    return 125;
  }
  if (global.bool("version")) {
    print(`bocker version ${version}`);
    return 0;
  }
  let [name, ...rest] = global.positional;
  // `bocker container run` and `bocker image pull` are other names of the short forms.
  if ((name === "container" || name === "image") && rest[0] !== undefined) {
    const grouped = rest[0];
    const other = {
      ls: name === "container" ? "ps" : "images",
      list: name === "container" ? "ps" : "images",
      rm: name === "container" ? "rm" : "rmi",
    };
    name = other[grouped as keyof typeof other] ?? grouped;
    rest = rest.slice(1);
  }
  if (name === undefined || global.bool("help") || (name === "help" && rest.length === 0)) {
    printOverview();
    return 0;
  }
  if (name === "classic") {
    const { classic } = await import("./classic.ts");
    return classic(rest, makeEngine(global.string("data-root"), global.string("run-root")));
  }
  const wanted = name === "help" ? rest[0] : name;
  const entry = COMMANDS.find((candidate) => candidate.name === wanted);
  if (entry === undefined) {
    printError(`bocker: '${visible(wanted ?? "")}' is not a bocker command.\nSee 'bocker --help'`);
    return 1;
  }
  const command = await entry.load();
  if (name === "help") {
    print(commandHelp(command));
    return 0;
  }
  return runCommand(command, rest, () => makeEngine(global.string("data-root"), global.string("run-root")));
}
