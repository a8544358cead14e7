/** What is not as it should be, and what can be done about it. */
import { shortId } from "../../base/ids.ts";
import { listNames } from "../../os/host-files.ts";
import { isSystemError } from "../../os/system-error.ts";
import type { ContainerRecord } from "../../spec/container.ts";
import { tryLock } from "../../state/locks.ts";
import type { Engine } from "../engine.ts";

export interface Finding {
  /** "container web (0123456789ab)" */
  subject: string;
  /** What is wrong with it: the sentence goes on from the subject. */
  problem: string;
  /** Puts it right and says what was done, as the end of the sentence; absent where only the user can. */
  mend?: () => string;
  /** What the user can do where nothing mends it, or what they have to do then. */
  advice?: string;
  /** Left by a command that did not come to its end: the next command removes it, and tells how many they were. */
  unfinished?: true;
}

const ID = /^[0-9a-f]{64}$/;

/** The result of `action`, unless another process is at work on this object: what that one does is not done yet. */
export function unlessLocked<T>(engine: Engine, id: string, action: () => T): T | undefined {
  const held = tryLock(engine.paths.locks, id);
  if (held === undefined) return undefined;
  try {
    return action();
  } finally {
    held.release();
  }
}

export function entries(directory: string): string[] {
  try {
    return listNames(directory);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}

/** The names in a directory that are ids of containers. */
export function ids(directory: string): string[] {
  return entries(directory).filter((name) => ID.test(name));
}

export function subjectOf({ name, id }: ContainerRecord): string {
  return `container ${name} (${shortId(id)})`;
}
