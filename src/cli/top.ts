/** `bocker top` */
import { processList, processListBy } from "../engine/process-list.ts";
import type { Command } from "./command.ts";
import { print, table } from "./output.ts";

export const topCommand: Command = {
  name: "top",
  usage: "CONTAINER [ps OPTIONS]",
  summary: "Display the running processes of a container",
  flags: [],
  // What follows the container is for ps.
  interspersed: false,
  repair: "boot",
  words: { least: 1 },
  async run(values, engine) {
    const [word = "", ...options] = values.positional;
    const record = engine.containers.find(word);
    const { titles, rows } =
      options.length === 0 ? processList(engine, record) : await processListBy(engine, record, options);
    print(table(titles, rows));
    return 0;
  },
};
