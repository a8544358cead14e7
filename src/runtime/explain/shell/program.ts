/** What a process is and may, and the program it becomes: one command line of util-linux tools, each executing the next. */
import { capabilityNames } from "../../generate/capabilities.ts";
import type { Operation } from "../../plan/operation.ts";
import { RLIMITS } from "../../plan/rlimits.ts";
import { quoted, words } from "./words.ts";

const UNLIMITED = 0xffffffffffffffffn;

/** A mask as setpriv's list. */
function capabilityList(mask: bigint): string {
  return ["-all", ...capabilityNames(mask).map((name) => `+${name.replace(/^CAP_/, "").toLowerCase()}`)].join(
    ",",
  );
}

function limit(value: bigint): string {
  const unsigned = BigInt.asUintN(64, value);
  return unsigned === UNLIMITED ? "unlimited" : String(unsigned);
}

/** Collects operations that only show in the last command line. */
export class ProgramTranslator {
  readonly #limits: string[] = [];
  readonly #setpriv: string[] = [];
  #directory = "/";
  #session = false;

  /** True when the operation's place is the last command line. */
  take(operation: Operation): boolean {
    switch (operation.op) {
      case "rlimit": {
        const name = Object.entries(RLIMITS).find(([, number]) => number === operation.resource)?.[0] ?? "";
        const option = name.replace("RLIMIT_", "").toLowerCase();
        this.#limits.push(`--${option}=${limit(operation.soft)}:${limit(operation.hard)}`);
        return true;
      }
      case "cap_bound":
        this.#setpriv.push(`--bounding-set=${capabilityList(operation.keep)}`);
        return true;
      case "identity":
        this.#setpriv.push(`--reuid=${operation.uid}`, `--regid=${operation.gid}`);
        this.#setpriv.push(
          operation.groups.length === 0 ? "--clear-groups" : `--groups=${operation.groups.join(",")}`,
        );
        return true;
      case "capset":
        this.#setpriv.push(`--inh-caps=${capabilityList(operation.inheritable | operation.ambient)}`);
        if (operation.ambient !== 0n)
          this.#setpriv.push(`--ambient-caps=${capabilityList(operation.ambient)}`);
        return true;
      case "no_new_privs":
        this.#setpriv.push("--no-new-privs");
        return true;
      case "deathsig":
        this.#setpriv.push("--pdeathsig=KILL");
        return true;
      case "chdir":
        this.#directory = operation.path;
        return true;
      case "stdio":
        this.#session = !operation.tty;
        return true;
      default:
        return false;
    }
  }

  /** The lines that become the program. */
  lines(operation: Extract<Operation, { op: "exec" }>): string[] {
    // env takes a word with "=" for a variable; one without would be taken for the program.
    const variables = operation.env.filter((entry) => entry.includes("="));
    const through = (tool: string, options: string[]) =>
      `set -- "$loader" --library-path "$libraries" "$(program ${tool})"${options.length > 0 ? " " : ""}${options.join(" ")} "$@"`;
    return [
      `set -- ${words(operation.argv)}`,
      through("env", ["-i", "-C", quoted(this.#directory), ...variables.map(assignment)]),
      through("setpriv", this.#setpriv),
      ...(this.#session ? [through("setsid", [])] : []),
      ...(this.#limits.length > 0 ? [through("prlimit", this.#limits)] : []),
      'exec "$@"',
    ];
  }
}

function assignment(entry: string): string {
  const equals = entry.indexOf("=");
  return /^\w+$/.test(entry.slice(0, equals))
    ? `${entry.slice(0, equals)}=${quoted(entry.slice(equals + 1))}`
    : quoted(entry);
}
