/** From the words of the command line to a command's exit code. The one place where errors get theirs. */
import { BockerError, type ErrorCode, messageOf } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { isFirstOfBoot } from "../state/boot.ts";
import type { Command } from "./command.ts";
import { type Flag, parseFlags } from "./flags.ts";
import { COMMANDS, commandsOf, findCommand, GROUPS } from "./index.ts";
import { print, printError, visible } from "./output.ts";

/** Commands whose failures carry Docker's special exit codes, apart from those of the program they run. */
const RUNS_A_PROGRAM = new Set(["run", "exec", "start"]);

const GLOBAL_FLAGS: readonly Flag[] = [
  { name: "data-root", kind: "string", help: "" },
  { name: "run-root", kind: "string", help: "" },
  { name: "storage-driver", kind: "string", help: "" },
  { name: "version", short: "v", kind: "bool", help: "" },
  { name: "debug", short: "D", kind: "bool", help: "", unsupported: true },
  { name: "host", short: "H", kind: "list", help: "", unsupported: true },
  { name: "log-level", short: "l", kind: "string", help: "", unsupported: true },
  { name: "config", kind: "string", help: "", unsupported: true },
  { name: "context", short: "c", kind: "string", help: "", unsupported: true },
];

/** Is what was typed to blame, of which `create` tells as `run` does? docker create is refused by the daemon as any command is. */
const isTyped = (code: ErrorCode) => code === "usage" || code === "unsupported" || code === "invalid";

/** Docker's exit codes: 125 the engine failed, 126 cannot be executed, 127 not found; else 1. */
function exitCodeOf(code: ErrorCode, command: string): number {
  if (code === "interrupted") return 130;
  if (command === "create") return isTyped(code) ? 125 : 1;
  if (!RUNS_A_PROGRAM.has(command)) return code === "usage" || code === "unsupported" ? 125 : 1;
  if (code === "command-not-found") return 127;
  if (code === "not-executable") return 126;
  if (command === "exec" || command === "start") return code === "usage" || code === "unsupported" ? 125 : 1;
  return 125;
}

async function report(error: unknown, command: Command): Promise<number> {
  const code: ErrorCode = error instanceof BockerError ? error.code : "internal";
  const message = messageOf(error).split("\n").map(visible).join("\n");
  if (code === "usage") (await import("./usage.ts")).printUsage(message, command);
  else if (command.name === "run" || (command.name === "create" && isTyped(code)))
    printError(`bocker: ${message}\n\nRun 'bocker ${command.name} --help' for more information`);
  else printError(`Error: ${message}`);
  if (code === "internal" && process.env["BOCKER_DEBUG"] !== undefined && error instanceof Error)
    printError(error.stack ?? "");
  return exitCodeOf(code, command.name);
}

async function runCommand(command: Command, words: string[], engine: () => Promise<Engine>): Promise<number> {
  try {
    const values = parseFlags(command.flags, words, command.interspersed ?? true);
    if (values.bool("help")) {
      await printHelp(command);
      return 0;
    }
    const { least, most = Number.POSITIVE_INFINITY } = command.words;
    const count = values.positional.length;
    if (count < least || count > most) {
      const { faultOfWords, printUsage } = await import("./usage.ts");
      printUsage(faultOfWords(command), command);
      // Not 125, which flags that are wrong have; also of run.
      return 1;
    }
    if (command.standalone === true) return await command.run(values);
    const instance = await engine();
    if (command.repair !== "none" && !values.has("explain")) await repairFirst(instance, command);
    return await command.run(values, instance);
  } catch (error) {
    return await report(error, command);
  }
}

/** After a crash or a reboot the next command puts things right, and says so. */
async function repairFirst(engine: Engine, command: Command): Promise<void> {
  const first = isFirstOfBoot(engine.paths);
  if (!first && command.repair === "boot") return;
  const { repairAndTell } = await import("./repair.ts");
  repairAndTell(engine, first);
}

async function printOverview(): Promise<void> {
  const { overview } = await import("./help.ts");
  const shown = COMMANDS.filter(({ name, hidden }) => hidden !== true && !name.includes(" "));
  print(overview(shown, GROUPS));
}

async function printGroup(group: string): Promise<void> {
  const { groupHelp } = await import("./help.ts");
  const { longerNames } = await import("./groups.ts");
  const others = longerNames(group).map(({ name, short }) => ({
    name,
    summary: COMMANDS.find((entry) => entry.name === short)?.summary ?? "",
  }));
  const all = [...commandsOf(group), ...others].sort((a, b) => (a.name < b.name ? -1 : 1));
  print(groupHelp(group, GROUPS.get(group) ?? "", all));
}

/** `container run` and the like as the short forms that they stand for. */
async function shortened(words: string[]): Promise<string[]> {
  const [group = "", word = ""] = words;
  if (!GROUPS.has(group)) return words;
  const { shortForm } = await import("./groups.ts");
  const short = shortForm(group, word);
  return short === undefined ? words : [...short, ...words.slice(2)];
}

async function printHelp(command: Command): Promise<void> {
  const { commandHelp } = await import("./help.ts");
  print(commandHelp(command));
}

/** Options before the command, as given. */
export type GlobalOptions = Record<"data" | "run" | "storageDriver", string | undefined>;

/** Runs one command line. */
export async function dispatch(
  words: string[],
  version: string,
  makeEngine: (options: GlobalOptions) => Promise<Engine>,
): Promise<number> {
  let global: ReturnType<typeof parseFlags>;
  try {
    global = parseFlags(GLOBAL_FLAGS, words, false);
  } catch (error) {
    printError(`${visible(messageOf(error))}\n\nRun 'bocker --help' for more information`);
    return 125;
  }
  if (global.bool("version")) {
    print(`bocker version ${version}`);
    return 0;
  }
  const [name, ...rest] = global.positional;
  if (name === undefined || global.bool("help") || (name === "help" && rest.length === 0)) {
    await printOverview();
    return 0;
  }
  const [data, run, storageDriver] = ["data-root", "run-root", "storage-driver"].map((flag) =>
    global.string(flag),
  );
  const engine = () => makeEngine({ data, run, storageDriver });
  if (name === "classic") {
    const { classic } = await import("./classic.ts");
    return classic(rest, engine);
  }
  const wanted = await shortened(name === "help" ? rest : [name, ...rest]);
  const found = findCommand(wanted);
  if (found === undefined) {
    const [group = "", other] = wanted;
    if (GROUPS.has(group) && (other === undefined || other === "--help")) {
      await printGroup(group);
      return 0;
    }
    const { notYet } = await import("./not-yet.ts");
    const missing = notYet(wanted);
    if (missing !== undefined) {
      printError(`bocker: ${missing}.\nSee 'bocker --help'`);
      return 1;
    }
    const unknown = GROUPS.has(group) ? `${group} ${other}` : group;
    printError(`bocker: '${visible(unknown)}' is not a bocker command.\nSee 'bocker --help'`);
    return 1;
  }
  const { entry } = found;
  const command = await entry.load();
  if (name === "help") {
    await printHelp(command);
    return 0;
  }
  return runCommand(command, found.rest, engine);
}
