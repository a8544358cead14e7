/** `bocker system df` */
import { BockerError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { familiarName, parseReference } from "../base/reference.ts";
import type { Engine } from "../engine/engine.ts";
import {
  containerUsage,
  containerUsages,
  contentUsage,
  imageUsage,
  imageUsages,
  type Usage,
  volumeUsage,
  volumeUsages,
} from "../engine/system-df.ts";
import { IndexTable } from "../state/indexes.ts";
import type { Command } from "./command.ts";
import { ago, humanSize } from "./human.ts";
import { printListing, type Row } from "./listing.ts";
import { print, printDamaged, table } from "./output.ts";
import { commandText, statusText } from "./ps.ts";

const HEADS: Record<string, string> = {
  Type: "TYPE",
  TotalCount: "TOTAL",
  Active: "ACTIVE",
  Size: "SIZE",
  Reclaimable: "RECLAIMABLE",
};

function reclaimable({ bytes, activeBytes }: Usage): string {
  const free = bytes - activeBytes;
  return bytes === 0 ? humanSize(0) : `${humanSize(free)} (${Math.floor((free / bytes) * 100)}%)`;
}

function summary(engine: Engine): Row[] {
  const kinds: [string, Usage][] = [
    ["Images", imageUsage(engine)],
    ["Containers", containerUsage(engine)],
    ["Local Volumes", volumeUsage(engine)],
    ["Packed Content", contentUsage(engine)],
  ];
  return kinds.map(([type, usage]) => ({
    Type: type,
    TotalCount: String(usage.total),
    Active: String(usage.active),
    Size: humanSize(usage.bytes),
    Reclaimable: reclaimable(usage),
  }));
}

const NONE = "<none>";

function imageTable(engine: Engine): string {
  const tags = engine.images.tags();
  const indexes = new IndexTable(engine.database).list(printDamaged);
  const rows = imageUsages(engine).flatMap(({ image, shared, unique, containers }) => {
    const own = tags.filter((tag) => tag.image === image.id);
    // A platform that has been run of an image that is kept whole goes by the name of that.
    const wholes = indexes.filter(({ entries }) => entries.some((entry) => entry.image?.id === image.id));
    const borne =
      own.length > 0 ? own : tags.filter(({ index }) => wholes.some(({ digest }) => digest === index));
    const names = borne
      .map(({ name }) => parseReference(name))
      .map((reference) => [familiarName(reference), reference.tag ?? NONE]);
    return (names.length === 0 ? [[NONE, NONE]] : names).map((name) => [
      ...name,
      shortId(image.id),
      ago(image.created),
      ...[image.size, shared, unique].map((bytes) => humanSize(bytes)),
      String(containers),
    ]);
  });
  const heads = [
    "REPOSITORY",
    "TAG",
    "IMAGE ID",
    "CREATED",
    "SIZE",
    "SHARED SIZE",
    "UNIQUE SIZE",
    "CONTAINERS",
  ];
  return table(heads, rows);
}

function containerTable(engine: Engine): string {
  const rows = containerUsages(engine).map(({ record, state, bytes }) => [
    shortId(record.id),
    record.config.image,
    commandText(record, false),
    String(record.mounts.filter(({ type }) => type === "volume").length),
    humanSize(bytes),
    ago(record.created),
    statusText(state),
    record.name,
  ]);
  const heads = ["CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"];
  return table(heads, rows);
}

function volumeTable(engine: Engine): string {
  const rows = volumeUsages(engine).map(({ volume, links, bytes }) => [
    volume.name,
    String(links),
    humanSize(bytes),
  ]);
  return table(["VOLUME NAME", "LINKS", "SIZE"], rows);
}

export const systemDfCommand: Command = {
  name: "system df",
  usage: "[OPTIONS]",
  summary: "Show disk usage",
  flags: [
    {
      name: "format",
      kind: "string",
      help: "Format output: 'table', 'table TEMPLATE', 'json', or a Go template",
    },
    { name: "verbose", short: "v", kind: "bool", help: "Show detailed information on space usage" },
  ],
  words: { least: 0, most: 0 },
  async run(values, engine) {
    const format = values.string("format");
    if (!values.bool("verbose")) {
      await printListing({ heads: HEADS, columns: Object.keys(HEADS), rows: summary(engine) }, format, false);
      return 0;
    }
    if (format !== undefined)
      throw new BockerError("unsupported", "--format with --verbose is not supported yet by bocker");
    const parts: [string, string][] = [
      ["Images", imageTable(engine)],
      ["Containers", containerTable(engine)],
      ["Local Volumes", volumeTable(engine)],
    ];
    print(parts.map(([name, text]) => `${name} space usage:\n\n${text}`).join("\n\n"));
    return 0;
  },
};
