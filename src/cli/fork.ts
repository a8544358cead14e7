/** `bocker fork` */
import { BockerError, messageOf } from "../base/errors.ts";
import { forkContainer } from "../engine/fork.ts";
import type { Command } from "./command.ts";
import type { FlagValues } from "./flags.ts";
import { interruptible } from "./interruption.ts";
import { print, printError, visible } from "./output.ts";
import { startDetached } from "./start-detached.ts";

/** More are a mistake: each may be a whole copy. */
const MOST = 1000;

/** NAME, or NAME-1 and so on for several; empty where there is none. */
function namesOf(values: FlagValues): string[] {
  const count = values.int("count") ?? 1;
  if (count < 1 || count > MOST)
    throw new BockerError("usage", `invalid argument "${values.string("count")}" for --count: 1 to ${MOST}`);
  const name = values.string("name") ?? "";
  if (count === 1) return [name];
  return Array.from({ length: count }, (_, index) => (name === "" ? "" : `${name}-${index + 1}`));
}

export const forkCommand: Command = {
  name: "fork",
  usage: "[OPTIONS] CONTAINER",
  summary: "Create new containers with a copy of a container's files as they are now",
  flags: [
    { name: "count", kind: "int", help: "How many containers (default 1)" },
    { name: "name", kind: "string", help: "Name of the new container; of several, with -1, -2 … behind it" },
    { name: "no-pause", kind: "bool", help: "Do not pause the container while its files are copied" },
    {
      name: "start",
      kind: "bool",
      help: "Start the new containers. A published port that was fixed\nbecomes a free one, as with -p 80",
    },
  ],
  words: { least: 1, most: 1 },
  async run(values, engine) {
    const names = namesOf(values);
    const record = engine.containers.find(values.positional[0] ?? "");
    const forks = await interruptible((signal) =>
      forkContainer(engine, record, { names, pause: !values.bool("no-pause"), signal }),
    );
    let code = 0;
    for (const fork of forks) {
      print(fork.id);
      if (!values.bool("start")) continue;
      try {
        await startDetached(engine, fork);
      } catch (error) {
        // It is there, only not started, as with run -d.
        printError(`Error: ${visible(messageOf(error))}`);
        code = 1;
      }
    }
    return code;
  },
};
