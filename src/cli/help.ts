/** --help in the layout that Docker's users know. */
import type { Command } from "./command.ts";
import type { Flag } from "./flags.ts";

const INDENT = 6;

function flagLeft(flag: Flag): string {
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  const value =
    flag.kind === "bool" || flag.kind === "optional"
      ? ""
      : ` ${flag.value ?? (flag.kind === "list" ? "list" : flag.kind)}`;
  return `${short}--${flag.name}${value}`;
}

export function commandHelp(command: Command, program = "bocker"): string {
  const all = "all" in command.flags ? command.flags.all() : command.flags;
  const flags = all.filter((flag) => flag.unsupported !== true);
  const width = Math.max(0, ...flags.map((flag) => flagLeft(flag).length)) + 3;
  const lines = flags.map((flag) => {
    const [first = "", ...more] = flag.help.split("\n");
    const pad = " ".repeat(INDENT - 4 + width);
    return [
      `${" ".repeat(INDENT - 4)}${flagLeft(flag).padEnd(width)}${first}`,
      ...more.map((line) => pad + line),
    ].join("\n");
  });
  const missing = all.filter((flag) => flag.unsupported === true).map((flag) => `--${flag.name}`);
  return [
    `Usage:  ${program} ${command.name}${command.usage === "" ? "" : ` ${command.usage}`}`,
    "",
    command.summary,
    ...(lines.length === 0 ? [] : ["", "Options:", ...lines]),
    ...(missing.length === 0 ? [] : ["", `Not supported yet: ${missing.join(" ")}`]),
  ].join("\n");
}

interface Listed {
  name: string;
  summary: string;
}

/** "bocker system": its commands. */
export function groupHelp(group: string, summary: string, commands: Listed[]): string {
  const named = commands.map((command) => ({ ...command, name: command.name.slice(group.length + 1) }));
  const width = Math.max(...named.map(({ name }) => name.length)) + 3;
  return [
    `Usage:  bocker ${group} COMMAND`,
    "",
    summary,
    "",
    "Commands:",
    ...named.map((command) => `  ${command.name.padEnd(width)}${command.summary}`),
    "",
    `Run 'bocker ${group} COMMAND --help' for more information on a command.`,
  ].join("\n");
}

export function overview(commands: Listed[], groups: ReadonlyMap<string, string>): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 3;
  return [
    "Usage:  bocker [OPTIONS] COMMAND",
    "",
    "A container engine without a daemon",
    "",
    "Commands:",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    "",
    "Management Commands:",
    ...[...groups].map(([name, summary]) => `  ${name.padEnd(width)}${summary}`),
    "",
    "Global Options:",
    "      --storage-driver string   Of a new data root: overlay, btrfs or vfs (BOCKER_STORAGE_DRIVER)",
    "      --data-root string   Where images and containers are kept (BOCKER_DATA, default /var/lib/bocker)",
    "      --run-root string    What belongs to this boot (BOCKER_RUN, default /run/bocker)",
    "  -v, --version            Print version information and quit",
    "",
    "Run 'bocker COMMAND --help' for more information on a command.",
  ].join("\n");
}
