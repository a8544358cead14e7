/** `bocker rm` */
import { checkRemovable, removeContainer } from "../engine/remove.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";

export const rmCommand: Command = {
  name: "rm",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Remove one or more containers",
  flags: [
    { name: "dry-run", kind: "bool", help: "Print what would be removed, and remove nothing" },
    {
      name: "force",
      short: "f",
      kind: "bool",
      help: "Force the removal of a running container (uses SIGKILL)",
    },
    { name: "link", short: "l", kind: "bool", help: "", unsupported: true },
    {
      name: "volumes",
      short: "v",
      kind: "bool",
      help: "Remove anonymous volumes associated with the container",
    },
  ],
  words: { least: 1 },
  run(values, engine) {
    const force = values.bool("force");
    const remove = async (word: string) => {
      const record = engine.containers.find(word);
      if (values.bool("dry-run")) checkRemovable(engine, record, force);
      else await removeContainer(engine, record, { force, volumes: values.bool("volumes") });
      return word;
    };
    return forEachWord(values.positional, remove, force);
  },
};
