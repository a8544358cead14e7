/** What a command of the command line is. */
import type { Engine } from "../engine/engine.ts";
import type { Flag, FlagValues } from "./flags.ts";

export interface Command {
  /** As typed: "run" */
  name: string;
  /** Behind the name in the usage line: "[OPTIONS] IMAGE [COMMAND] [ARG...]" */
  usage: string;
  summary: string;
  flags: readonly Flag[];
  /** False for commands that end in a program's own command line. */
  interspersed?: boolean;
  /**
   * What is looked for before the command runs: all that a crash may have left (the default), only what a
   * reboot leaves (commands that must be quick), or nothing.
   */
  repair?: "boot" | "none";
  /** How many words are needed and allowed. */
  words: { least: number; most?: number };
  /** Returns the exit code. */
  run(values: FlagValues, engine: Engine): Promise<number>;
}
