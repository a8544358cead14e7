/** What a command of the command line is. */
import type { Engine } from "../engine/engine.ts";
import type { Flag, FlagSource, FlagValues } from "./flags.ts";

interface CommandShape {
  /** As typed: "run" */
  name: string;
  /** Behind the name in the usage line: "[OPTIONS] IMAGE [COMMAND] [ARG...]" */
  usage: string;
  summary: string;
  flags: FlagSource | readonly Flag[];
  /** False for commands that end in a program's own command line. */
  interspersed?: boolean;
  /**
   * What is looked for before the command runs: all that a crash may have left (the default), only what a
   * reboot leaves (commands that must be quick), or nothing.
   */
  repair?: "boot" | "none";
  /** How many words are needed and allowed. */
  words: { least: number; most?: number };
}

export interface EngineCommand extends CommandShape {
  standalone?: never;
  /** Returns the exit code. */
  run(values: FlagValues, engine: Engine): Promise<number>;
}

/** One that needs nothing of the engine's: it is not even loaded. */
export interface StandaloneCommand extends CommandShape {
  standalone: true;
  /** Returns the exit code. */
  run(values: FlagValues): Promise<number>;
}

export type Command = EngineCommand | StandaloneCommand;
