/**
 * `bocker cleanup`: what the monitor of a container calls at its end. Of a --rm container when nobody is left who would remove it;
 * of one with a restart policy, to start it again.
 */
import { BockerError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { removeContainer } from "../engine/remove.ts";
import type { ContainerRecord } from "../spec/container.ts";
import type { Command } from "./command.ts";

async function restart(engine: Engine, { id }: ContainerRecord): Promise<void> {
  const { restartByPolicy } = await import("../engine/restart-policy.ts");
  const { startDetached } = await import("./start-detached.ts");
  await restartByPolicy(engine, id, ({ record, ...again }) =>
    startDetached(engine, record, undefined, again),
  );
}

export const cleanupCommand: Command = {
  name: "cleanup",
  usage: "CONTAINER",
  summary: "Remove a --rm container that has ended, or start another again (called by its monitor)",
  flags: [],
  repair: "none",
  words: { least: 1, most: 1 },
  async run(values, engine) {
    try {
      const record = engine.containers.find(values.positional[0] ?? "");
      if (record.host.autoRemove) await removeContainer(engine, record, { volumes: true });
      else await restart(engine, record);
    } catch (error) {
      // Somebody was faster: that is what was wanted.
      if (!(error instanceof BockerError && (error.code === "not-found" || error.code === "conflict")))
        throw error;
    }
    return 0;
  },
};
