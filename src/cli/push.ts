/** `bocker push` */
import { BockerError } from "../base/errors.ts";
import { familiarName, formatReference, parseReference, repositoryName } from "../base/reference.ts";
import { imageOfPlatform } from "../engine/image-platform.ts";
import { platformsOf } from "../engine/kept-index.ts";
import { pushImage, tagsToPush } from "../engine/push.ts";
import { PACKINGS, type Packing } from "../images/layer/pack.ts";
import type { Command } from "./command.ts";
import { interruptible } from "./interruption.ts";
import { LayerLines } from "./layer-lines.ts";
import { print } from "./output.ts";

function packingOf(text: string | undefined): Packing | undefined {
  if (text === undefined || Object.hasOwn(PACKINGS, text)) return text as Packing | undefined;
  throw new BockerError(
    "usage",
    `invalid argument "${text}" for --compression: ${Object.keys(PACKINGS).join(" or ")}`,
  );
}

export const pushCommand: Command = {
  name: "push",
  usage: "[OPTIONS] NAME[:TAG]",
  summary: "Upload an image to a registry",
  flags: [
    { name: "all-tags", short: "a", kind: "bool", help: "Push all tags of an image to the repository" },
    {
      name: "compression",
      kind: "string",
      help: "Compress the layers so for this push (gzip, zstd)",
    },
    { name: "disable-content-trust", kind: "bool", help: "", unsupported: true },
    { name: "platform", kind: "string", help: "Push the image of this platform alone, or refuse" },
    { name: "quiet", short: "q", kind: "bool", help: "Suppress verbose output" },
  ],
  words: { least: 1, most: 1 },
  async run(values, engine) {
    const [name = ""] = values.positional;
    const quiet = values.bool("quiet");
    const all = values.bool("all-tags");
    const references = tagsToPush(engine, name, all);
    const platform = values.string("platform");
    const packing = packingOf(values.string("compression"));
    for (const one of platformsOf(platform === undefined ? [] : [platform]))
      for (const reference of references) imageOfPlatform(engine, formatReference(reference), one);
    if (!quiet && !all && parseReference(name).tag === undefined) print("Using default tag: latest");
    if (!quiet) print(`The push refers to repository [${repositoryName(references[0]!)}]`);
    for (const reference of references) {
      const lines = new LayerLines(1, ["Pushing"], ["Pushed", "Layer already exists", "Mounted from"]);
      const progress = { layer: lines.show.bind(lines) };
      const { digest, size, insteadOf } = await interruptible((signal) =>
        pushImage(engine, reference, { platform, packing, signal, ...(quiet ? {} : { progress }) }),
      ).finally(() => lines.end());
      if (!quiet) print(`${reference.tag}: digest: ${digest} size: ${size}`);
      if (!quiet && insteadOf !== undefined)
        print(
          `Not all multiplatform-content is present and only the available single-platform image was pushed\n${insteadOf} -> ${digest}`,
        );
    }
    if (quiet) print(all ? familiarName(references[0]!) : formatReference(references[0]!));
    return 0;
  },
};
