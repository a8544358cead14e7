/** `bocker pull` */
import { shortDigest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import {
  familiarReference,
  formatReference,
  isTag,
  parseReference,
  type Reference,
} from "../base/reference.ts";
import type { Engine } from "../engine/engine.ts";
import { type PullProgress, pullImage } from "../engine/pull.ts";
import { isTerminal } from "../os/terminal.ts";
import type { Command } from "./command.ts";
import type { FlagValues } from "./flags.ts";
import { interruptible } from "./interruption.ts";
import { print, visible, writeFully } from "./output.ts";
import { LiveLines, progressBar } from "./progress.ts";

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

/** One line for each event, for pipes and logs: no bars. */
function plainProgress(print: (text: string) => void): PullProgress {
  return {
    resolved: (reference) => print(pullingFrom(reference)),
    layer: (digest, status) => {
      if (status !== "Downloading" && status !== "Extracting") print(`${shortDigest(digest)}: ${status}`);
    },
  };
}

function liveProgress(lines: LiveLines, print: (text: string) => void): PullProgress {
  return {
    resolved: (reference) => print(visible(pullingFrom(reference))),
    layer: (digest, status, current, total) => {
      const id = shortDigest(digest);
      const bar = total === undefined ? "" : ` ${progressBar(current ?? 0, total, lines.columns)}`;
      lines.set(digest, `${id}: ${status}${bar}`, status === "Pull complete" || status === "Already exists");
    },
  };
}

export interface PullOutput {
  platform: string | undefined;
  quiet: boolean;
  /** The descriptor that is written to. */
  output: 1 | 2;
}

/** Pulls an image and shows it as Docker does. Returns its whole name. */
export async function pullWithProgress(
  engine: Engine,
  text: string,
  { platform, quiet, output }: PullOutput,
): Promise<string> {
  const typed = parseReference(text);
  const say = (line: string) => writeFully(output, `${line}\n`);
  if (!quiet && typed.tag === undefined && typed.digest === undefined) say("Using default tag: latest");
  const lines = isTerminal(output) ? new LiveLines((raw) => writeFully(output, raw)) : undefined;
  const progress = quiet ? undefined : lines === undefined ? plainProgress(say) : liveProgress(lines, say);
  const result = await interruptible((signal) =>
    pullImage(engine, text, { platform, progress, signal }),
  ).finally(() => lines?.end());
  if (!quiet) {
    say(`Digest: ${result.digest}`);
    say(`Status: ${result.status} for ${familiarReference(result.reference)}`);
  }
  return formatReference(result.reference);
}

async function run(values: FlagValues, engine: Engine): Promise<number> {
  const name = await pullWithProgress(engine, referenceOf(values.positional), {
    platform: values.string("platform"),
    quiet: values.bool("quiet"),
    output: 1,
  });
  print(name);
  return 0;
}

export const pullCommand: Command = {
  name: "pull",
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Download an image from a registry",
  flags: [
    {
      name: "all-tags",
      short: "a",
      kind: "bool",
      help: "Download all tagged images in the repository",
      unsupported: true,
    },
    { name: "disable-content-trust", kind: "bool", help: "Skip image verification", unsupported: true },
    { name: "platform", kind: "string", help: "Set platform if server is multi-platform capable" },
    { name: "quiet", short: "q", kind: "bool", help: "Suppress verbose output" },
  ],
  words: { least: 1, most: 2 },
  run,
};
