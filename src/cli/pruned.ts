/** What `prune` says that went, as Docker says it. */
import { humanSize } from "./human.ts";
import { print } from "./output.ts";

/** @param what "Containers" */
export function printPruned(dry: boolean, what: string, names: readonly string[]): void {
  if (names.length > 0)
    print([dry ? `Would delete ${what.toLowerCase()}:` : `Deleted ${what}:`, ...names, ""].join("\n"));
}

export function printReclaimed(bytes: number): void {
  print(`Total reclaimed space: ${humanSize(bytes)}`);
}
