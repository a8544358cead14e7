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
import { print, printRaw, visible } from "./output.ts";
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
function plainProgress(): PullProgress {
  return {
    resolved: (reference) => print(pullingFrom(reference)),
    layer: (digest, status) => {
      if (status !== "Downloading" && status !== "Extracting") print(`${shortDigest(digest)}: ${status}`);
    },
  };
}

function liveProgress(lines: LiveLines): PullProgress {
  return {
    resolved: (reference) => print(visible(pullingFrom(reference))),
    layer: (digest, status, current, total) => {
      const id = shortDigest(digest);
      const bar = total === undefined ? "" : ` ${progressBar(current ?? 0, total, lines.columns)}`;
      lines.set(digest, `${id}: ${status}${bar}`, status === "Pull complete" || status === "Already exists");
    },
  };
}

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process at once. */
async function interruptible<T>(action: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  process.once("SIGINT", abort).once("SIGTERM", abort);
  try {
    return await action(controller.signal);
  } finally {
    process.off("SIGINT", abort).off("SIGTERM", abort);
  }
}

/** Pulls an image and shows it as Docker does. */
export async function pullWithProgress(
  engine: Engine,
  text: string,
  options: { platform: string | undefined; quiet: boolean },
): Promise<void> {
  const typed = parseReference(text);
  const { quiet, platform } = options;
  if (!quiet && typed.tag === undefined && typed.digest === undefined) print("Using default tag: latest");
  const lines = isTerminal(1) ? new LiveLines(printRaw) : undefined;
  const progress = quiet ? undefined : lines === undefined ? plainProgress() : liveProgress(lines);
  const result = await interruptible((signal) =>
    pullImage(engine, text, { platform, progress, signal }),
  ).finally(() => lines?.end());
  if (!quiet) {
    print(`Digest: ${result.digest}`);
    print(`Status: ${result.status} for ${familiarReference(result.reference)}`);
  }
  print(formatReference(result.reference));
}

async function run(values: FlagValues, engine: Engine): Promise<number> {
  await pullWithProgress(engine, referenceOf(values.positional), {
    platform: values.string("platform"),
    quiet: values.bool("quiet"),
  });
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
