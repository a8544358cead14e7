/** `bocker container prune`, `image prune`, `system prune` */
import { BockerError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { pruneContainers, stoppedContainers } from "../engine/prune.ts";
import { pruneImages, type Removal } from "../engine/remove-image.ts";
import type { Command } from "./command.ts";
import { confirmed } from "./confirm.ts";
import { booleanFilter, type Filters, hasLabel, parseFilters } from "./filters.ts";
import type { Flag, FlagValues } from "./flags.ts";
import { printPruned, printReclaimed } from "./pruned.ts";
import { untilMatcher } from "./until-filter.ts";

const FLAGS: readonly Flag[] = [
  { name: "dry-run", kind: "bool", help: "Print what would be removed, and remove nothing" },
  {
    name: "filter",
    kind: "list",
    value: "filter",
    help: 'Provide filter values (e.g. "label=<key>=<value>", "until=<timestamp>")',
  },
  { name: "force", short: "f", kind: "bool", help: "Do not prompt for confirmation" },
];

const FILTERS = ["label", "label!", "until"];

/** Whether a filter lets a thing through: of these labels, and as old as this. */
type Matches = (labels: Readonly<Record<string, string>>, created: string) => boolean;

function matcherOf(filters: Filters): Matches {
  const isOld = untilMatcher(filters);
  return (labels, created) =>
    (filters.get("label") ?? []).every((text) => hasLabel(labels, text)) &&
    !(filters.get("label!") ?? []).some((text) => hasLabel(labels, text)) &&
    isOld(created);
}

function prunableContainers(engine: Engine, matches: Matches) {
  return stoppedContainers(engine).filter(({ config, created }) => matches(config.labels, created));
}

function prunedImages(
  engine: Engine,
  all: boolean,
  matches: Matches,
  dry: boolean,
  gone: ReadonlySet<string> = new Set(),
): Removal {
  return pruneImages(engine, {
    all,
    isWanted: ({ config, created }) => matches(config.Labels ?? {}, created),
    dry,
    gone,
  });
}

const linesOf = ({ lines }: Removal) =>
  lines.map((line) => ("untagged" in line ? `untagged: ${line.untagged}` : `deleted: ${line.deleted}`));

/** True when it may go on: nobody needs to be asked, or the user agreed. */
const isAgreed = (values: FlagValues, question: string) =>
  values.bool("dry-run") || values.bool("force") || confirmed(question);

export const containerPruneCommand: Command = {
  name: "container prune",
  usage: "[OPTIONS]",
  summary: "Remove all stopped containers",
  flags: FLAGS,
  words: { least: 0, most: 0 },
  async run(values, engine) {
    const matches = matcherOf(parseFilters(values.list("filter"), FILTERS));
    // Decided before the question: what stops while it is asked stays.
    const records = prunableContainers(engine, matches);
    if (!isAgreed(values, "WARNING! This will remove all stopped containers.")) return 0;
    const dry = values.bool("dry-run");
    const { names, bytes } = await pruneContainers(engine, records, dry);
    printPruned(dry, "Containers", names);
    printReclaimed(bytes);
    return 0;
  },
};

const imageWarning = (all: boolean) =>
  all ? "all images without at least one container associated to them" : "all dangling images";

export const imagePruneCommand: Command = {
  name: "image prune",
  usage: "[OPTIONS]",
  summary: "Remove unused images",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "Remove all unused images, not just dangling ones" },
    ...FLAGS,
  ],
  words: { least: 0, most: 0 },
  async run(values, engine) {
    const filters = parseFilters(values.list("filter"), [...FILTERS, "dangling"]);
    const all = values.bool("all") || booleanFilter(filters, "dangling") === false;
    const matches = matcherOf(filters);
    if (!isAgreed(values, `WARNING! This will remove ${imageWarning(all)}.`)) return 0;
    const dry = values.bool("dry-run");
    const removal = prunedImages(engine, all, matches, dry);
    printPruned(dry, "Images", linesOf(removal));
    printReclaimed(removal.bytes);
    return 0;
  },
};

function systemQuestion(all: boolean, volumes: boolean, filters: readonly string[]): string {
  return [
    "WARNING! This will remove:",
    "  - all stopped containers",
    ...(volumes ? ["  - all anonymous volumes not used by at least one container"] : []),
    `  - ${imageWarning(all)}`,
    "",
    ...(filters.length === 0
      ? []
      : ["  Items to be pruned will be filtered with:", ...filters.map((filter) => `  - ${filter}`), ""]),
  ].join("\n");
}

export const systemPruneCommand: Command = {
  name: "system prune",
  usage: "[OPTIONS]",
  summary: "Remove unused data",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "Remove all unused images, not just dangling ones" },
    ...FLAGS,
    { name: "volumes", kind: "bool", help: "Prune anonymous volumes" },
  ],
  words: { least: 0, most: 0 },
  async run(values, engine) {
    const filters = parseFilters(values.list("filter"), FILTERS);
    const [all, volumes] = [values.bool("all"), values.bool("volumes")];
    if (volumes && filters.has("until"))
      throw new BockerError("invalid", 'The "until" filter is not supported with "--volumes"');
    const matches = matcherOf(filters);
    const records = prunableContainers(engine, matches);
    if (!isAgreed(values, systemQuestion(all, volumes, values.list("filter")))) return 0;
    const dry = values.bool("dry-run");
    const containers = await pruneContainers(engine, records, dry);
    // Without doing it, what the containers leave free is free already.
    const gone = new Set(dry ? containers.names : []);
    const { pruneVolumes } = await import("../engine/volume-commands.ts");
    const pruned = volumes
      ? pruneVolumes(engine, {
          all: false,
          isWanted: ({ labels, created }) => matches(labels, created),
          dry,
          gone,
        })
      : { names: [], bytes: 0 };
    const images = prunedImages(engine, all, matches, dry, gone);
    printPruned(dry, "Containers", containers.names);
    printPruned(dry, "Volumes", pruned.names);
    printPruned(dry, "Images", linesOf(images));
    printReclaimed(containers.bytes + pruned.bytes + images.bytes);
    return 0;
  },
};
