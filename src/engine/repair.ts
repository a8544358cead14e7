/**
 * What a crash or a reboot has left, put right by the next command. Nothing is guessed: a container of
 * which nobody recorded the end has ended with 255, and what belongs to no record goes. It is the part of
 * `system check` that is quick enough to precede a command.
 */
import { AddressTable } from "../state/addresses.ts";
import { readState } from "../state/status.ts";
import { sweepTrash } from "../state/trash.ts";
import { checkDirectories, checkEnded, checkFrozen, checkPaused, checkRestarts } from "./check/containers.ts";
import { type Finding, unlessLocked } from "./check/finding.ts";
import { freeCgroups } from "./check/kernel.ts";
import { checkOwnedVolumes, checkRenamedVolumes, checkVolumeDirectories } from "./check/volumes.ts";
import type { Engine } from "./engine.ts";
import { removeUnfinished } from "./image-lock.ts";
import { forgetKeptStarts } from "./kept-start.ts";

/** Mends all; a line for each, and one for all that unfinished commands have left. */
function mendAll(findings: Finding[]): string[] {
  const lines: string[] = [];
  let unfinished = 0;
  for (const finding of findings) {
    const done = finding.mend?.();
    if (finding.unfinished === true) unfinished++;
    else lines.push(`${finding.subject} ${finding.problem}; ${done}`);
  }
  if (unfinished === 0) return lines;
  const directories = unfinished === 1 ? "directory" : "directories";
  return [...lines, `${unfinished} ${directories} of an unfinished command removed`];
}

/** Addresses of containers that do not run: that they come free is nothing to tell. */
function freeAddresses(engine: Engine): void {
  const addresses = new AddressTable(engine.database);
  for (const holder of addresses.holders())
    unlessLocked(engine, holder, () => {
      if (readState(engine.paths, holder).status !== "running") addresses.release(holder);
    });
}

/** Puts right what can be wrong. Returns what was done, a line each. */
export function repair(engine: Engine, firstOfBoot: boolean): string[] {
  engine.database;
  if (firstOfBoot) forgetKeptStarts(engine);
  removeUnfinished(engine);
  freeAddresses(engine);
  freeCgroups(engine);
  // Another command may be deleting it: no news either.
  sweepTrash(engine.paths);
  return [
    ...mendAll(checkEnded(engine, firstOfBoot)),
    ...mendAll(checkFrozen(engine)),
    ...mendAll(checkPaused(engine)),
    ...mendAll(checkRestarts(engine)),
    ...mendAll(checkDirectories(engine)),
    ...mendAll(checkRenamedVolumes(engine)),
    ...mendAll([...checkOwnedVolumes(engine), ...checkVolumeDirectories(engine)]),
  ];
}
