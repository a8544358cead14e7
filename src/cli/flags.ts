/**
 * Docker's command-line grammar, which is that of Go's pflag: --name value, --name=value, -n value,
 * -nvalue, -abc for booleans, --bool=false, "--" ends the flags. Commands that take a program's command
 * line stop at the first word that is no flag.
 */
import { BockerError } from "../base/errors.ts";

export interface Flag {
  name: string;
  short?: string;
  /** list: may be repeated; optional: a value only with "=" */
  kind: "bool" | "string" | "int" | "list" | "optional";
  /** What --help shows for the value: string, list, bytes, int, duration … */
  value?: string;
  help: string;
  /** Docker has it, bocker does not: using it is an error. */
  unsupported?: true;
}

/** Where a command's flags are looked up. */
export interface FlagSource {
  byName(name: string): Flag | undefined;
  /** "v" for -v */
  byShort(letter: string): Flag | undefined;
  /** In the order of their names. */
  all(): readonly Flag[];
}

/** The few flags of most commands. */
class FlagList implements FlagSource {
  readonly #flags: readonly Flag[];

  constructor(flags: readonly Flag[]) {
    this.#flags = flags;
  }

  byName(name: string): Flag | undefined {
    return this.#flags.find((flag) => flag.name === name);
  }

  byShort(letter: string): Flag | undefined {
    return this.#flags.find((flag) => flag.short === letter);
  }

  all(): readonly Flag[] {
    return this.#flags;
  }
}

/** Every command has it. */
const HELP: Flag = { name: "help", kind: "bool", help: "Print usage" };

export class FlagValues {
  readonly #values = new Map<string, string[]>();
  positional: string[] = [];

  add(flag: Flag, value: string): void {
    if (flag.kind === "list") this.#values.set(flag.name, [...this.list(flag.name), value]);
    else this.#values.set(flag.name, [value]);
  }

  /** Whether any of them was given. */
  has(...names: string[]): boolean {
    return names.some((name) => this.#values.has(name));
  }

  bool(name: string, otherwise = false): boolean {
    const value = this.string(name);
    return value === undefined ? otherwise : value === "true";
  }

  /** The last value given; undefined when the flag was not used. */
  string(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  int(name: string): number | undefined {
    const value = this.string(name);
    return value === undefined ? undefined : Number(value);
  }

  list(name: string): string[] {
    return this.#values.get(name) ?? [];
  }
}

const TRUE = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE = new Set(["0", "f", "F", "false", "FALSE", "False"]);

function usageError(message: string): BockerError {
  return new BockerError("usage", message);
}

function shown(flag: Flag): string {
  return flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
}

/** The value as it is kept; bool becomes true or false. Throws "usage" with pflag's words. */
function checkedValue(flag: Flag, value: string): string {
  if (flag.unsupported === true)
    throw new BockerError("unsupported", `--${flag.name} is not supported yet by bocker`);
  if (flag.kind === "bool") {
    if (TRUE.has(value)) return "true";
    if (FALSE.has(value)) return "false";
    throw usageError(
      `invalid argument ${JSON.stringify(value)} for "${shown(flag)}" flag: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  }
  if (flag.kind === "int" && !/^[+-]?\d{1,18}$/.test(value))
    throw usageError(
      `invalid argument ${JSON.stringify(value)} for "${shown(flag)}" flag: strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  return value;
}

class Parser {
  readonly #flags: FlagSource;
  readonly #words: string[];
  readonly #interspersed: boolean;
  readonly #values = new FlagValues();

  constructor(flags: FlagSource, words: string[], interspersed: boolean) {
    this.#flags = flags;
    this.#words = [...words];
    this.#interspersed = interspersed;
  }

  parse(): FlagValues {
    while (this.#words.length > 0) {
      const word = this.#words.shift()!;
      if (word === "--") {
        this.#values.positional.push(...this.#words);
        break;
      }
      if (word.startsWith("--")) this.#long(word);
      else if (word.startsWith("-") && word !== "-") this.#short(word);
      else if (this.#interspersed) this.#values.positional.push(word);
      else {
        this.#values.positional.push(word, ...this.#words);
        break;
      }
    }
    return this.#values;
  }

  #add(flag: Flag, value: string): void {
    this.#values.add(flag, checkedValue(flag, value));
  }

  #long(word: string): void {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
    const flag = this.#flags.byName(name) ?? (name === HELP.name ? HELP : undefined);
    if (flag === undefined) throw usageError(`unknown flag: --${name}`);
    if (equals >= 0) this.#add(flag, word.slice(equals + 1));
    else if (flag.kind === "bool") this.#add(flag, "true");
    else if (flag.kind === "optional") this.#add(flag, "");
    else {
      const value = this.#words.shift();
      if (value === undefined) throw usageError(`flag needs an argument: --${name}`);
      this.#add(flag, value);
    }
  }

  #short(word: string): void {
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      const flag = this.#flags.byShort(letter);
      if (flag === undefined) throw usageError(`unknown shorthand flag: '${letter}' in ${word}`);
      const rest = word.slice(at + 1);
      if (flag.kind === "bool" && !rest.startsWith("=")) {
        this.#add(flag, "true");
        continue;
      }
      const value = rest === "" ? this.#words.shift() : rest.replace(/^=/, "");
      if (value === undefined) throw usageError(`flag needs an argument: '${letter}' in ${word}`);
      this.#add(flag, value);
      return;
    }
  }
}

/** Parses a command's words. Throws BockerError "usage" or "unsupported". */
export function parseFlags(
  flags: FlagSource | readonly Flag[],
  words: string[],
  interspersed = true,
): FlagValues {
  const source = "byName" in flags ? flags : new FlagList(flags);
  return new Parser(source, words, interspersed).parse();
}
