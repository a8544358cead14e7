/** `bocker create` */
import type { Command } from "./command.ts";
import { CREATE_FLAGS } from "./container-flags.ts";
import { createFromFlags } from "./create-from-flags.ts";
import { print } from "./output.ts";

export const createCommand: Command = {
  name: "create",
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create a new container",
  flags: CREATE_FLAGS,
  interspersed: false,
  repair: "boot",
  words: { least: 1 },
  async run(values, engine) {
    print((await createFromFlags(values, engine)).id);
    return 0;
  },
};
