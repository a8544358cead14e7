/**
 * Flags as a table in text, a line each, looked up when one is used:
 *
 *     -c, --cpu-shares int              CPU shares (relative weight)
 *         --cpus string=decimal         Number of CPUs
 *         --ipc string
 *
 * the letter, the name, the kind (flags.ts), what --help calls the value if that is not the kind, and the help, in
 * which "\\n" begins a new line. A flag without help is Docker's, and not supported yet.
 */
import type { Flag, FlagSource } from "./flags.ts";

const ROW = /^(?:-(\w), | {4})--([\w-]+) (\w+)(?:=(\w+))?(?: +(.*))?$/;

function flagOf(line: string): Flag {
  const [, short, name = "", kind, value, help] = ROW.exec(line) ?? [];
  return {
    name,
    kind: kind as Flag["kind"],
    help: (help ?? "").replaceAll("\\n", "\n"),
    ...(short === undefined ? {} : { short }),
    ...(value === undefined ? {} : { value }),
    ...(help === undefined ? { unsupported: true as const } : {}),
  };
}

export class FlagTable implements FlagSource {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The flag in whose line `mark` begins. */
  #at(mark: string): Flag | undefined {
    const at = this.#text.indexOf(mark) + 1;
    if (at === 0) return undefined;
    const start = this.#text.lastIndexOf("\n", at) + 1;
    return flagOf(this.#text.slice(start, this.#text.indexOf("\n", at)));
  }

  byName(name: string): Flag | undefined {
    const flag = this.#at(` --${name} `);
    return flag?.name === name ? flag : undefined;
  }

  byShort(letter: string): Flag | undefined {
    const flag = this.#at(`\n-${letter}, `);
    return flag?.short === letter ? flag : undefined;
  }

  all(): readonly Flag[] {
    const flags = this.#text
      .split("\n")
      .filter((line) => line !== "")
      .map(flagOf);
    return flags.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
