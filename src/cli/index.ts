/** The commands, each loaded only when it is called. */
import type { Command } from "./command.ts";

interface Entry {
  name: string;
  summary: string;
  /** Not shown in the overview. */
  hidden?: true;
  load: () => Promise<Command>;
}

export const COMMANDS: readonly Entry[] = [
  {
    name: "run",
    summary: "Create and run a new container from an image",
    load: async () => (await import("./run.ts")).runCommand,
  },
  {
    name: "pull",
    summary: "Download an image from a registry",
    load: async () => (await import("./pull.ts")).pullCommand,
  },
];
