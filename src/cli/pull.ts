/** `bocker pull` */
import { BockerError } from "../base/errors.ts";
import {
  familiarReference,
  formatReference,
  isTag,
  parseReference,
  type Reference,
  repositoryName,
} from "../base/reference.ts";
import type { Engine } from "../engine/engine.ts";
import { pullImage, repositoryTags } from "../engine/pull.ts";
import type { PullProgress } from "../engine/pull-index.ts";
import type { Command } from "./command.ts";
import type { FlagValues } from "./flags.ts";
import { interruptible } from "./interruption.ts";
import { LayerLines } from "./layer-lines.ts";
import { print, visible, writeFully } from "./output.ts";
import { platformWords } from "./platforms.ts";

/** `pull NAME[:TAG|@DIGEST]`, or `pull NAME TAG` as it was once written. */
function referenceOf(words: string[]): string {
  const [name = "", second] = words;
  if (second === undefined) return name;
  const { tag, digest } = parseReference(name);
  if (tag !== undefined || digest !== undefined)
    throw new BockerError("usage", `"${name}" has a tag or a digest already: "${second}" is one too many`);
  if (isTag(second)) return `${name}:${second}`;
  return `${name}@${second}`;
}

/** "latest: Pulling from library/debian"; a digest is shown with its name. */
function pullingFrom(reference: Reference): string {
  const what = reference.digest === undefined ? reference.tag : formatReference(reference);
  return `${what}: Pulling from ${reference.path}`;
}

export interface PullOutput {
  platforms: readonly string[] | "all";
  quiet: boolean;
  /** The descriptor that is written to. */
  output: 1 | 2;
}

/** Pulls an image and shows it as Docker does. Returns its whole name. */
export async function pullWithProgress(
  engine: Engine,
  text: string,
  { platforms, quiet, output }: PullOutput,
): Promise<string> {
  const typed = parseReference(text);
  const say = (line: string) => writeFully(output, `${line}\n`);
  if (!quiet && typed.tag === undefined && typed.digest === undefined) say("Using default tag: latest");
  const lines = new LayerLines(output, ["Downloading", "Extracting"], ["Pull complete", "Already exists"]);
  const progress: PullProgress = {
    resolved: (reference) => say(visible(pullingFrom(reference))),
    layer: (digest, status, current, total) => lines.show(digest, status, current, total),
  };
  const result = await interruptible((signal) =>
    pullImage(engine, text, { platforms, signal, ...(quiet ? {} : { progress }) }),
  ).finally(() => lines.end());
  if (!quiet) {
    say(`Digest: ${result.digest}`);
    say(`Status: ${result.status} for ${familiarReference(result.reference)}`);
  }
  return formatReference(result.reference);
}

/** What is to be pulled: one name, or with --all-tags one for each tag that the registry has. */
async function referencesOf(values: FlagValues): Promise<string[]> {
  const text = referenceOf(values.positional);
  if (!values.bool("all-tags")) return [text];
  const reference = parseReference(text);
  if (reference.tag !== undefined || reference.digest !== undefined)
    throw new BockerError("invalid", "tag can't be used with --all-tags/-a");
  const tags = await interruptible((signal) => repositoryTags(text, signal));
  if (tags.length > 0) return tags.sort().map((tag) => formatReference({ ...reference, tag }));
  throw new BockerError("not-found", `no tags found for ${familiarReference(reference)}`);
}

async function run(values: FlagValues, engine: Engine): Promise<number> {
  const quiet = values.bool("quiet");
  const words = platformWords(values);
  const all = values.bool("all-platforms");
  if (all && words.length > 0)
    throw new BockerError("usage", "--all-platforms and --platform are mutually exclusive");
  const references = await referencesOf(values);
  let name = "";
  for (const reference of references)
    name = await pullWithProgress(engine, reference, {
      platforms: all ? "all" : words,
      quiet,
      output: 1,
    });
  print(values.bool("all-tags") ? repositoryName(parseReference(name)) : name);
  return 0;
}

export const pullCommand: Command = {
  name: "pull",
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Download an image from a registry",
  flags: [
    {
      name: "all-platforms",
      kind: "bool",
      help: "Keep the image whole, with all of its platforms: for tagging, saving and pushing it",
    },
    { name: "all-tags", short: "a", kind: "bool", help: "Download all tagged images in the repository" },
    { name: "disable-content-trust", kind: "bool", help: "Skip image verification", unsupported: true },
    {
      name: "platform",
      kind: "list",
      value: "string",
      help: "Set platform if server is multi-platform capable (several: keep the index with these)",
    },
    { name: "quiet", short: "q", kind: "bool", help: "Suppress verbose output" },
  ],
  words: { least: 1, most: 2 },
  run,
};
