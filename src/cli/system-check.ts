/** `bocker system check` */
import { check } from "../engine/check/check.ts";
import type { Command } from "./command.ts";
import { print, visible } from "./output.ts";

export const systemCheckCommand: Command = {
  name: "system check",
  usage: "[OPTIONS]",
  summary: "Check that everything of bocker's is there, is whole and belongs to something",
  flags: [
    { name: "quick", short: "q", kind: "bool", help: "Do not read the images' content" },
    { name: "repair", short: "r", kind: "bool", help: "Put right what is found, as far as it can be" },
  ],
  // What is found is to be told, not to be gone before.
  repair: "none",
  words: { least: 0, most: 0 },
  async run(values, engine) {
    let found = 0;
    let open = 0;
    for await (const { finding, done } of check(engine, {
      quick: values.bool("quick"),
      repair: values.bool("repair"),
    })) {
      found++;
      if (done === undefined) open++;
      const { subject, problem, mend, advice } = finding;
      const todo =
        done === undefined && mend !== undefined ? "'bocker system check --repair' mends it" : advice;
      print(visible([`${subject} ${problem}`, ...[done, todo].filter(Boolean)].join("; ")));
    }
    if (found === 0) {
      print("Nothing found.");
      return 0;
    }
    print(`${found} found, ${found - open} repaired.`);
    return 1;
  },
};
