/** `bocker cleanup`: what the monitor of a --rm container calls when nobody is left who would remove it. */
import { BockerError } from "../base/errors.ts";
import { removeContainer } from "../engine/remove.ts";
import type { Command } from "./command.ts";

export const cleanupCommand: Command = {
  name: "cleanup",
  usage: "CONTAINER",
  summary: "Remove a --rm container that has ended (called by its monitor)",
  flags: [],
  repair: "none",
  words: { least: 1, most: 1 },
  async run(values, engine) {
    try {
      const record = engine.containers.find(values.positional[0] ?? "");
      if (record.host.autoRemove) await removeContainer(engine, record, { volumes: true });
    } catch (error) {
      // Somebody was faster: that is what was wanted.
      if (!(error instanceof BockerError && (error.code === "not-found" || error.code === "conflict")))
        throw error;
    }
    return 0;
  },
};
