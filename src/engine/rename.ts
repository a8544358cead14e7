/** `rename`: another name for a container, which may run meanwhile. */
import { BockerError } from "../base/errors.ts";
import { recordEvents } from "../state/events.ts";
import { containerEvent } from "./container-events.ts";
import { lockContainer } from "./container-lock.ts";
import type { Engine } from "./engine.ts";
import { checkName } from "./record.ts";

/**
 * Whatever its monitor tells of it until it ends has the old name.
 * @throws BockerError "invalid" (the name), "conflict" (it is another's), "not-found", in Docker's words
 */
export function renameContainer(engine: Engine, reference: string, name: string): void {
  if (name === "") throw new BockerError("invalid", "Neither old nor new names may be empty");
  checkName(name);
  const container = engine.containers.find(reference);
  const held = lockContainer(engine, container);
  try {
    const record = engine.transaction(() => {
      const found = engine.containers.find(container.id);
      if (found.name === name)
        throw new BockerError("invalid", "Renaming a container with the same name as its current name");
      engine.containers.requireFree(name);
      engine.containers.update({ ...found, name });
      return found;
    });
    const told = containerEvent({ ...record, name }, "rename", { oldName: `/${record.name}` });
    recordEvents(engine.paths, [told]);
  } finally {
    held.release();
  }
}
