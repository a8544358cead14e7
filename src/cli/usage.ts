/** What is said of a command line that the command does not take. Loaded for those only. */
import type { Command } from "./command.ts";
import { printError } from "./output.ts";

/** How it is called, behind what was wrong with how it was. */
export function printUsage(message: string, { name, usage }: Command): void {
  printError(
    `${message}\n\nUsage:  bocker ${name} ${usage}\n\nRun 'bocker ${name} --help' for more information`,
  );
}

/** What is wrong with a number of words that is not right (docker/cli cli/required.go). */
export function faultOfWords({ name, words: { least, most } }: Command): string {
  const plural = (n: number) => `${n} argument${n === 1 ? "" : "s"}`;
  const wanted =
    most === undefined
      ? `requires at least ${plural(least)}`
      : most === 0
        ? "accepts no arguments"
        : most === least
          ? `requires ${plural(least)}`
          : least === 0
            ? `requires at most ${plural(most)}`
            : `requires at least ${least} and at most ${plural(most)}`;
  return `bocker: 'bocker ${name}' ${wanted}`;
}
