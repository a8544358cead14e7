/** What precedes a command after a crash or a reboot, and what is said of it. */
import { BockerError, messageOf } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { repair } from "../engine/repair.ts";
import { isSystemError } from "../os/system-error.ts";
import { printError, visible } from "./output.ts";

/** Repairs, and tells what was done on stderr. A full disk keeps nobody from seeing and removing what is there. */
export function repairAndTell(engine: Engine, firstOfBoot: boolean): void {
  try {
    for (const line of repair(engine, firstOfBoot)) printError(`bocker: repaired: ${visible(line)}`);
  } catch (error) {
    const isFull =
      isSystemError(error, "ENOSPC") || (error instanceof BockerError && error.code === "no-space");
    if (!isFull) throw error;
    printError(`bocker: cannot repair what a crash has left: ${visible(messageOf(error))}`);
  }
}
