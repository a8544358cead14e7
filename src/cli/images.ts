/** `bocker images` */
import { shortId } from "../base/ids.ts";
import { familiarName, parseReference, type Reference } from "../base/reference.ts";
import type { Engine } from "../engine/engine.ts";
import { HOST_IMAGE } from "../engine/image.ts";
import type { ImageRecord } from "../state/images.ts";
import type { Command } from "./command.ts";
import { parseFilters } from "./filters.ts";
import { ago, humanSize } from "./human.ts";
import { printListing, type Row } from "./listing.ts";
import { createdAt } from "./ps.ts";

const HEADS: Record<string, string> = {
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  ID: "IMAGE ID",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
  Containers: "CONTAINERS",
};
const NONE = "<none>";

interface Entry {
  repository: string;
  tag: string;
  digest: string;
  /** undefined: this machine's own root */
  image: ImageRecord | undefined;
}

/** A row for each tag, one for each digest that no tag stands for, one for an image without any name. */
function entriesOf(engine: Engine): Entry[] {
  const tags = engine.images.tags().map(({ name, image }) => ({ reference: parseReference(name), image }));
  const digests = engine.images
    .digests()
    .map(({ name, image }) => ({ reference: parseReference(name), image }));
  const entries: Entry[] = [];
  for (const image of engine.images.list()) {
    const own = tags.filter((tag) => tag.image === image.id);
    const pulled = digests.filter((digest) => digest.image === image.id);
    const digestOf = (reference: Reference) =>
      pulled.find((digest) => familiarName(digest.reference) === familiarName(reference))?.reference.digest ??
      NONE;
    for (const { reference } of own)
      entries.push({
        repository: familiarName(reference),
        tag: reference.tag ?? NONE,
        digest: digestOf(reference),
        image,
      });
    for (const { reference } of pulled)
      if (!own.some((tag) => familiarName(tag.reference) === familiarName(reference)))
        entries.push({
          repository: familiarName(reference),
          tag: NONE,
          digest: reference.digest ?? NONE,
          image,
        });
    if (own.length + pulled.length === 0) entries.push({ repository: NONE, tag: NONE, digest: NONE, image });
  }
  entries.push({ repository: HOST_IMAGE, tag: "latest", digest: NONE, image: undefined });
  return entries;
}

function rowOf(entry: Entry, full: boolean): Row {
  const { image } = entry;
  return {
    Repository: entry.repository,
    Tag: entry.tag,
    Digest: entry.digest,
    ID: image === undefined ? HOST_IMAGE : full ? image.id : shortId(image.id),
    CreatedSince: image === undefined ? "N/A" : ago(image.created),
    CreatedAt: image === undefined ? "N/A" : createdAt(image.created),
    Size: image === undefined ? "N/A" : humanSize(image.size),
    Containers: "N/A",
  };
}

/** `images NAME[:TAG]`: by repository or whole name, `*` and `?` allowed. */
function isNamed(entry: Entry, pattern: string): boolean {
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
  return wanted.every((text) => {
    const equals = text.indexOf("=");
    return equals < 0
      ? Object.hasOwn(labels, text)
      : labels[text.slice(0, equals)] === text.slice(equals + 1);
  });
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
      help: "Filter output (dangling, label, reference)",
    },
    {
      name: "format",
      kind: "string",
      help: "Format output: 'table', 'table TEMPLATE', 'json', or a Go template",
    },
    { name: "no-trunc", kind: "bool", help: "Don't truncate output" },
    { name: "quiet", short: "q", kind: "bool", help: "Only show image IDs" },
    { name: "tree", kind: "bool", help: "", unsupported: true },
  ],
  words: { least: 0, most: 1 },
  async run(values, engine) {
    const filters = parseFilters(values.list("filter"), ["dangling", "label", "reference"]);
    const [pattern] = values.positional;
    const references = [...(pattern === undefined ? [] : [pattern]), ...(filters.get("reference") ?? [])];
    const dangling = filters.get("dangling")?.at(-1);
    const entries = entriesOf(engine).filter(
      (entry) =>
        (references.length === 0 || references.some((reference) => isNamed(entry, reference))) &&
        (dangling === undefined || (entry.repository === NONE) === ["1", "true"].includes(dangling)) &&
        labelsMatch(entry.image, filters.get("label") ?? []),
    );
    const rows = entries.map((entry) => rowOf(entry, values.bool("no-trunc")));
    const quiet = values.bool("quiet");
    const unique = quiet
      ? rows.filter((row, at) => rows.findIndex(({ ID }) => ID === row["ID"]) === at)
      : rows;
    const columns = [
      "Repository",
      "Tag",
      ...(values.bool("digests") ? ["Digest"] : []),
      "ID",
      "CreatedSince",
      "Size",
    ];
    printListing({ heads: HEADS, columns, rows: unique }, values.string("format"), quiet);
    return 0;
  },
};
