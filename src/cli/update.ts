/** `bocker update` */
import { BockerError } from "../base/errors.ts";
import { updateContainer } from "../engine/update.ts";
import type { Command } from "./command.ts";
import { flagsNamed } from "./container-flags.ts";
import { limitsOf } from "./container-options.ts";
import { forEachWord } from "./each.ts";
import { parseRestart } from "./restart-value.ts";

/** Those of `run` that can be changed later. */
const NAMES = [
  "blkio-weight",
  "cpu-period",
  "cpu-quota",
  "cpu-rt-period",
  "cpu-rt-runtime",
  "cpu-shares",
  "cpus",
  "cpuset-cpus",
  "cpuset-mems",
  "memory",
  "memory-reservation",
  "memory-swap",
  "pids-limit",
  "restart",
];

export const updateCommand: Command = {
  name: "update",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Update configuration of one or more containers",
  flags: flagsNamed(NAMES),
  repair: "boot",
  words: { least: 1 },
  async run(values, engine) {
    if (!values.has(...NAMES))
      throw new BockerError("invalid", "you must provide one or more flags when using this command");
    const restart = values.string("restart");
    const changes = {
      ...limitsOf(values),
      ...(restart === undefined ? {} : { restart: parseRestart(restart) ?? ("no" as const) }),
    };
    return forEachWord(values.positional, async (word) => {
      updateContainer(engine, engine.containers.find(word), changes);
      return word;
    });
  },
};
