/**
 * `system check`: everything under bocker's name belongs to something, and everything that is recorded is there
 * and whole. Other commands may be at work meanwhile: what is found must be found twice, and not under a lock.
 */
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../base/errors.ts";
import type { Engine } from "../engine.ts";
import {
  checkDirectories,
  checkEnded,
  checkFiles,
  checkFrozen,
  checkPaused,
  checkRestarts,
  checkTrash,
} from "./containers.ts";
import type { Finding } from "./finding.ts";
import { checkBlobs, checkImages, checkRestorable, checkUnfinished, checkUnreferenced } from "./images.ts";
import { checkCgroups, checkLeases, checkMonitors, checkMounts, checkPorts } from "./kernel.ts";
import { checkBridge } from "./network.ts";
import { checkDatabase, checkRecords } from "./records.ts";
import { checkUndo } from "./undo.ts";
import {
  checkOwnedVolumes,
  checkRenamedVolumes,
  checkVolumeDirectories,
  checkVolumeFiles,
} from "./volumes.ts";

/** Milliseconds: whatever is on its way out has gone by then. */
const SECOND_LOOK = 300;

export interface CheckOptions {
  /** Blobs are not read. */
  quick: boolean;
  /** What was found is put right, as far as it can be. */
  repair: boolean;
}

export interface Checked {
  finding: Finding;
  /** What was done; undefined when nothing was. */
  done: string | undefined;
}

type Look = () => Finding[] | Promise<Finding[]>;

/** In the order of repair: what others depend on comes first, so that what it leaves is found by the next. */
function stages(engine: Engine, quick: boolean): Look[] {
  return [
    () => checkDatabase(engine),
    () => checkRecords(engine),
    () => checkMounts(engine),
    () => checkEnded(engine, true),
    () => checkFrozen(engine),
    () => checkPaused(engine),
    () => checkRestarts(engine),
    () => checkMonitors(engine),
    () => checkTrash(engine),
    () => checkDirectories(engine),
    () => checkFiles(engine),
    () => checkUndo(engine),
    () => checkBridge(engine),
    () => checkRenamedVolumes(engine),
    () => checkOwnedVolumes(engine),
    () => checkVolumeDirectories(engine),
    () => checkVolumeFiles(engine),
    () => checkLeases(engine),
    () => checkCgroups(engine),
    () => checkPorts(),
    () => checkUnfinished(engine),
    () => checkBlobs(engine, quick),
    () => checkRestorable(engine, quick),
    () => checkImages(engine),
    () => checkUnreferenced(engine),
  ];
}

const nameOf = ({ subject, problem }: Finding) => `${subject} ${problem}`;

/** What a stage finds now and a moment later. */
async function found(look: Look): Promise<Finding[]> {
  const first = new Set((await look()).map(nameOf));
  if (first.size === 0) return [];
  await delay(SECOND_LOOK);
  return (await look()).filter((finding) => first.has(nameOf(finding)));
}

function mended(finding: Finding): string | undefined {
  try {
    return finding.mend?.();
  } catch (error) {
    return `it could not be put right: ${messageOf(error)}`;
  }
}

/** Each finding as soon as it is there. */
export async function* check(engine: Engine, options: CheckOptions): AsyncGenerator<Checked> {
  for (const look of stages(engine, options.quick))
    for (const finding of await found(look))
      yield { finding, done: options.repair ? mended(finding) : undefined };
}
