/** `bocker undo` */
import { BockerError } from "../base/errors.ts";
import { stopContainer } from "../engine/stop.ts";
import { type Kept, keptBefore, keptFiles, undo } from "../engine/undo.ts";
import { readState } from "../state/status.ts";
import type { Command } from "./command.ts";
import { ago } from "./human.ts";
import { printListing } from "./listing.ts";
import { print } from "./output.ts";
import { createdAt } from "./ps.ts";
import { startDetached } from "./start-detached.ts";
import { parseSignal } from "./values.ts";

const HEADS: Record<string, string> = {
  Steps: "STEPS",
  CreatedSince: "KEPT",
  CreatedAt: "KEPT AT",
  Before: "BEFORE",
};

async function list(kept: readonly Kept[], format: string | undefined): Promise<void> {
  const rows = kept.map(({ created, before }, at) => ({
    Steps: String(at + 1),
    CreatedSince: ago(created),
    CreatedAt: createdAt(created),
    Before: before,
  }));
  await printListing({ heads: HEADS, columns: ["Steps", "CreatedSince", "Before"], rows }, format, false);
}

export const undoCommand: Command = {
  name: "undo",
  usage: "[OPTIONS] CONTAINER [STEPS]",
  summary: "Give a container's files back as they were before its last exec",
  flags: [
    { name: "dry-run", kind: "bool", help: "Print what would be undone, and change nothing" },
    {
      name: "format",
      kind: "string",
      help: "With --list: 'table', 'table TEMPLATE', 'json', or a Go template",
    },
    { name: "list", short: "l", kind: "bool", help: "List what can be undone, the last first" },
    { name: "restart", kind: "bool", help: "Stop the container if it runs, and start it again" },
  ],
  words: { least: 1, most: 2 },
  async run(values, engine) {
    const [word = "", number = "1"] = values.positional;
    const record = engine.containers.find(word);
    const steps = /^\d{1,9}$/.test(number) ? Number(number) : 0;
    if (steps < 1)
      throw new BockerError("usage", `invalid number of steps "${number}": it must be 1 or more`);
    if (values.bool("list")) {
      await list(keptFiles(engine, record), values.string("format"));
      return 0;
    }
    const told = ({ before, created }: Kept) => `${before} (${ago(created)})`;
    if (values.bool("dry-run")) {
      print(`Would undo: ${told(keptBefore(engine, record, steps))}`);
      return 0;
    }
    const isRunning = () => readState(engine.paths, record.id).status === "running";
    const again = values.bool("restart") && isRunning();
    if (again) {
      // Before it is stopped for nothing.
      keptBefore(engine, record, steps);
      await stopContainer(engine, record, parseSignal(record.config.stopSignal), record.config.stopTimeout);
    }
    try {
      print(`Undone: ${told(undo(engine, record, steps))}`);
    } finally {
      if (again) await startDetached(engine, record);
    }
    return 0;
  },
};
