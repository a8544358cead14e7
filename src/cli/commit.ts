/** `bocker commit` */
import { commitContainer } from "../engine/commit.ts";
import type { Command } from "./command.ts";
import { interruptible } from "./interruption.ts";
import { print } from "./output.ts";

export const commitCommand: Command = {
  name: "commit",
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  summary: "Create a new image from a container's changes",
  flags: [
    {
      name: "author",
      short: "a",
      kind: "string",
      help: 'Author (e.g., "John Hannibal Smith\n<hannibal@a-team.com>")',
    },
    { name: "change", short: "c", kind: "list", help: "Apply Dockerfile instruction to the created image" },
    { name: "message", short: "m", kind: "string", help: "Commit message" },
    { name: "pause", short: "p", kind: "bool", help: "Pause container during commit (default true)" },
  ],
  words: { least: 1, most: 2 },
  async run(values, engine) {
    const [container = "", name] = values.positional;
    const record = engine.containers.find(container);
    const image = await interruptible((signal) =>
      commitContainer(engine, record, {
        name,
        author: values.string("author") ?? "",
        message: values.string("message") ?? "",
        changes: values.list("change"),
        pause: values.bool("pause", true),
        signal,
      }),
    );
    print(image.id);
    return 0;
  },
};
