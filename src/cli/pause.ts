/** `bocker pause` and `bocker unpause` */
import type { Engine } from "../engine/engine.ts";
import { pauseContainer, unpauseContainer } from "../engine/pause.ts";
import type { ContainerRecord } from "../spec/container.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";

function commandOf(
  name: string,
  what: string,
  action: (engine: Engine, record: ContainerRecord) => void | Promise<void>,
): Command {
  return {
    name,
    usage: "CONTAINER [CONTAINER...]",
    summary: `${what} all processes within one or more containers`,
    flags: [],
    repair: "boot",
    words: { least: 1 },
    run(values, engine) {
      return forEachWord(values.positional, async (word) => {
        await action(engine, engine.containers.find(word));
        return word;
      });
    },
  };
}

export const pauseCommand = commandOf("pause", "Pause", pauseContainer);
export const unpauseCommand = commandOf("unpause", "Unpause", unpauseContainer);
