/** `bocker images` */
import { BockerError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { familiarName, parseReference, type Reference } from "../base/reference.ts";
import type { Engine } from "../engine/engine.ts";
import { HOST_IMAGE, requireImageRecord } from "../engine/image.ts";
import type { ImageRecord } from "../state/images.ts";
import { type ImageName, IndexTable } from "../state/indexes.ts";
import type { Command } from "./command.ts";
import { booleanFilter, type Filters, hasLabel, parseFilters } from "./filters.ts";
import type { FlagValues } from "./flags.ts";
import { ago, humanSize } from "./human.ts";
import { type Fields, printListing, type Row, rowOf, wantedFields } from "./listing.ts";
import { printDamaged } from "./output.ts";
import { createdAt } from "./ps.ts";
import { untilMatcher } from "./until-filter.ts";

/** What a template may name of an image, and the heads of its columns. */
export const IMAGE_HEADS: Record<string, string> = {
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  ID: "IMAGE ID",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
  Containers: "CONTAINERS",
  SharedSize: "SHARED SIZE",
  UniqueSize: "UNIQUE SIZE",
  VirtualSize: "VIRTUAL SIZE",
};
const FILTERS = ["before", "dangling", "label", "reference", "since", "until"];
const NONE = "<none>";

/** An image by one of its names. */
export interface ImageEntry {
  repository: string;
  tag: string;
  digest: string;
  /** undefined: this machine's own root */
  image: ImageRecord | undefined;
  /** The digest of the index that the name stands for, where it is kept. */
  index: string | undefined;
}

const NAMELESS = { repository: NONE, tag: NONE, digest: NONE, index: undefined };

const named = ({ name, ...row }: ImageName) => ({ reference: parseReference(name), ...row });

/**
 * A row for each tag, one for each digest that no tag stands for, one for an image without any name.
 * @param all with platforms that have been run of an image that is kept whole
 */
function entriesOf(engine: Engine, all: boolean): ImageEntry[] {
  const tags = Map.groupBy(engine.images.tags().map(named), ({ image }) => image);
  const digests = Map.groupBy(engine.images.digests().map(named), ({ image }) => image);
  const kept = new IndexTable(engine.database).list(printDamaged).flatMap(({ entries }) => entries);
  const platforms = new Set(kept.map((entry) => entry.image?.id));
  const entries: ImageEntry[] = [];
  for (const image of engine.images.list(printDamaged)) {
    const own = tags.get(image.id) ?? [];
    const pulled = digests.get(image.id) ?? [];
    const digestOf = (reference: Reference) =>
      pulled.find((digest) => familiarName(digest.reference) === familiarName(reference))?.reference.digest ??
      NONE;
    for (const { reference, index } of own)
      entries.push({
        repository: familiarName(reference),
        tag: reference.tag ?? NONE,
        digest: index ?? digestOf(reference),
        image,
        index,
      });
    for (const { reference, index } of pulled)
      if (!own.some((tag) => familiarName(tag.reference) === familiarName(reference)))
        entries.push({
          repository: familiarName(reference),
          tag: NONE,
          digest: reference.digest ?? NONE,
          image,
          index,
        });
    if (own.length + pulled.length === 0 && (all || !platforms.has(image.id)))
      entries.push({ ...NAMELESS, image });
  }
  entries.push({ ...NAMELESS, repository: HOST_IMAGE, tag: "latest", image: undefined });
  return entries;
}

interface ShownImage {
  entry: ImageEntry;
  full: boolean;
}

const sizeOf = ({ entry: { image } }: ShownImage) => (image === undefined ? "N/A" : humanSize(image.size));
/** As Docker, which tells these in `system df -v` only. */
const untold = () => "N/A";

const FIELDS: Fields<ShownImage> = {
  Repository: ({ entry }) => entry.repository,
  Tag: ({ entry }) => entry.tag,
  Digest: ({ entry }) => entry.digest,
  ID: ({ entry: { image }, full }) =>
    image === undefined ? HOST_IMAGE : full ? image.id : shortId(image.id),
  CreatedSince: ({ entry: { image } }) => (image === undefined ? "N/A" : ago(image.created)),
  CreatedAt: ({ entry: { image } }) => (image === undefined ? "N/A" : createdAt(image.created)),
  Size: sizeOf,
  VirtualSize: sizeOf,
  Containers: untold,
  SharedSize: untold,
  UniqueSize: untold,
};

/** An image's fields of these names; without names all. */
export function imageRow(entry: ImageEntry, full: boolean, wanted?: string[]): Row {
  return rowOf(FIELDS, { entry, full }, wanted);
}

/** `images NAME[:TAG]`: by repository or whole name, `*` and `?` allowed. */
function isNamed(entry: ImageEntry, pattern: string): boolean {
  const glob = (text: string) =>
    new RegExp(
      `^${text
        .replace(/[.+^${}()|[\]\\]/g, "\\$&")
        .replace(/\*/g, "[^/]*")
        .replace(/\?/g, "[^/]")}$`,
    );
  const [repository = "", tag] = /^(.*?)(?::([^/:]+))?$/.exec(pattern)?.slice(1) ?? [];
  return glob(repository).test(entry.repository) && (tag === undefined || glob(tag).test(entry.tag));
}

function labelsMatch(image: ImageRecord | undefined, wanted: string[]): boolean {
  const labels = image?.config.Labels ?? {};
  return wanted.every((text) => hasLabel(labels, text));
}

/** `before` and `since` an image, `until` a time; this machine's own root was made at none. */
function timeMatcher(engine: Engine, filters: Filters): (image: ImageRecord | undefined) => boolean {
  const madeAt = (reference: string) => Date.parse(requireImageRecord(engine, reference).created);
  const before = (filters.get("before") ?? []).map(madeAt);
  const since = (filters.get("since") ?? []).map(madeAt);
  const isOld = untilMatcher(filters);
  if (before.length + since.length === 0 && !filters.has("until")) return () => true;
  return (image) => {
    if (image === undefined) return false;
    const created = Date.parse(image.created);
    return (
      before.every((time) => created < time) && since.every((time) => created > time) && isOld(image.created)
    );
  };
}

async function tree(values: FlagValues, engine: Engine, entries: readonly ImageEntry[]): Promise<number> {
  for (const flag of ["digests", "format", "no-trunc", "quiet"])
    if (values.has(flag)) throw new BockerError("usage", `--${flag} is not yet supported with --tree`);
  const { printTree } = await import("./images-tree.ts");
  const shown = entries.flatMap(({ repository, tag, image, index }) =>
    image === undefined ? [] : [{ name: repository === NONE ? NONE : `${repository}:${tag}`, image, index }],
  );
  printTree(engine, shown);
  return 0;
}

export const imagesCommand: Command = {
  name: "images",
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  summary: "List images",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "Show all images (default hides intermediate images)" },
    { name: "digests", kind: "bool", help: "Show digests" },
    {
      name: "filter",
      short: "f",
      kind: "list",
      value: "filter",
      help: "Filter output (before, dangling, label, reference, since, until)",
    },
    {
      name: "format",
      kind: "string",
      help: "Format output: 'table', 'table TEMPLATE', 'json', or a Go template",
    },
    { name: "no-trunc", kind: "bool", help: "Don't truncate output" },
    { name: "quiet", short: "q", kind: "bool", help: "Only show image IDs" },
    { name: "tree", kind: "bool", help: "List multi-platform images as a tree" },
  ],
  words: { least: 0, most: 1 },
  async run(values, engine) {
    const filters = parseFilters(values.list("filter"), FILTERS);
    const matchesTime = timeMatcher(engine, filters);
    const [pattern] = values.positional;
    const references = [...(pattern === undefined ? [] : [pattern]), ...(filters.get("reference") ?? [])];
    const dangling = booleanFilter(filters, "dangling");
    const entries = entriesOf(engine, values.bool("all")).filter(
      (entry) =>
        (references.length === 0 || references.some((reference) => isNamed(entry, reference))) &&
        (dangling === undefined || (entry.repository === NONE) === dangling) &&
        labelsMatch(entry.image, filters.get("label") ?? []) &&
        matchesTime(entry.image),
    );
    if (values.bool("tree")) return tree(values, engine, entries);
    const columns = [
      "Repository",
      "Tag",
      ...(values.bool("digests") ? ["Digest"] : []),
      "ID",
      "CreatedSince",
      "Size",
    ];
    const wanted = wantedFields(values, columns, FIELDS);
    const full = values.bool("no-trunc");
    const rows = entries.map((entry) => imageRow(entry, full, wanted));
    const quiet = values.bool("quiet");
    const unique = quiet ? [...new Map(rows.map((row) => [row["ID"], row])).values()] : rows;
    await printListing({ heads: IMAGE_HEADS, columns, rows: unique }, values.string("format"), quiet);
    return 0;
  },
};
