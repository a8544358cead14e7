/**
 * `bocker attend`: what the monitor of a container calls. At the end of a --rm container, when nobody is left who would remove it, and
 * of one with a restart policy, to start it again; while one runs, to check its health.
 */
import { BockerError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { removeContainer } from "../engine/remove.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { readState } from "../state/status.ts";
import type { Command } from "./command.ts";

async function restart(engine: Engine, { id }: ContainerRecord): Promise<void> {
  const { restartByPolicy } = await import("../engine/restart-policy.ts");
  const { startDetached } = await import("./start-detached.ts");
  await restartByPolicy(engine, id, ({ record, ...again }) =>
    startDetached(engine, record, undefined, again),
  );
}

async function attend(engine: Engine, record: ContainerRecord): Promise<void> {
  if (readState(engine.paths, record.id).status === "running") {
    const { checkHealth } = await import("../engine/health.ts");
    await checkHealth(engine, record);
  } else if (record.host.autoRemove) await removeContainer(engine, record, { volumes: true });
  else await restart(engine, record);
}

export const attendCommand: Command = {
  name: "attend",
  usage: "CONTAINER",
  summary: "See to a container: remove it, start it again, or check its health (called by its monitor)",
  flags: [],
  repair: "none",
  words: { least: 1, most: 1 },
  async run(values, engine) {
    try {
      await attend(engine, engine.containers.find(values.positional[0] ?? ""));
    } catch (error) {
      // Somebody was faster: that is what was wanted.
      if (!(error instanceof BockerError && (error.code === "not-found" || error.code === "conflict")))
        throw error;
    }
    return 0;
  },
};
