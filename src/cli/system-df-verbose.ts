/** `bocker system df -v`: every image, container and volume with the space that it takes. */
import { familiarName, parseReference } from "../base/reference.ts";
import { visibleJson } from "../base/visible-json.ts";
import type { Engine } from "../engine/engine.ts";
import { inspectVolume } from "../engine/inspect-volume.ts";
import { containerUsages, imageUsages, volumeUsages } from "../engine/system-df.ts";
import { healthStatus } from "../state/health.ts";
import { IndexTable } from "../state/indexes.ts";
import { humanSize } from "./human.ts";
import { IMAGE_HEADS, imageRow } from "./images.ts";
import { type Listing, listingTable, unescaped, withLabels } from "./listing.ts";
import { print, printDamaged } from "./output.ts";
import { CONTAINER_HEADS, containerRow } from "./ps.ts";
import { VOLUME_HEADS, volumeRow } from "./volume.ts";

const NONE = "<none>";

/** @param full with whole ids; an image of several names has a row for each of them, but only one for templates: sizes add up */
function imageListing(engine: Engine, full: boolean, eachName: boolean): Listing {
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
      .map((reference) => ({ repository: familiarName(reference), tag: reference.tag ?? NONE }));
    const [first = { repository: NONE, tag: NONE }, ...others] = names;
    return [first, ...(eachName ? others : [])].map((name) => ({
      ...imageRow({ ...name, digest: NONE, image, index: undefined }, full),
      SharedSize: humanSize(shared),
      UniqueSize: humanSize(unique),
      Containers: String(containers),
    }));
  });
  const columns = [
    "Repository",
    "Tag",
    "ID",
    "CreatedSince",
    "Size",
    "SharedSize",
    "UniqueSize",
    "Containers",
  ];
  return { heads: IMAGE_HEADS, columns, rows };
}

function containerListing(engine: Engine, full: boolean): Listing {
  const usages = containerUsages(engine);
  return {
    heads: CONTAINER_HEADS,
    columns: ["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"],
    rows: usages.map(({ bytes, ...shown }) =>
      containerRow({
        ...shown,
        health: healthStatus(engine.paths, shown.record, shown.state),
        full,
        sizeOf: () => humanSize(bytes),
      }),
    ),
    labels: usages.map(({ record }) => record.config.labels),
  };
}

function volumeListing(engine: Engine): Listing {
  const usages = volumeUsages(engine).map((usage) => ({
    ...usage,
    document: inspectVolume(engine, usage.volume),
  }));
  return {
    heads: VOLUME_HEADS,
    columns: ["Name", "Links", "Size"],
    rows: usages.map(({ document, links, bytes }) => ({
      ...volumeRow(document, links),
      Size: humanSize(bytes),
    })),
    labels: usages.map(({ document }) => document.Labels ?? {}),
  };
}

function printTables(engine: Engine): void {
  const parts: [string, Listing][] = [
    ["Images", imageListing(engine, false, true)],
    ["Containers", containerListing(engine, false)],
    ["Local Volumes", volumeListing(engine)],
  ];
  print(parts.map(([name, listing]) => `${name} space usage:\n\n${listingTable(listing)}`).join("\n\n"));
}

/** @param format undefined or "table" for tables, "json", or a template that is given all lists at once */
export async function printVerbose(engine: Engine, format: string | undefined): Promise<void> {
  if (format === undefined || format === "" || format === "table") return printTables(engine);
  const isTable = format.startsWith("table ");
  // What is wrong with it is known before everything is measured.
  const template =
    format === "json" ? undefined : await compiled(isTable ? format.slice("table ".length) : format);
  const lists = {
    Images: withLabels(imageListing(engine, !isTable, false)),
    Containers: withLabels(containerListing(engine, !isTable)),
    Volumes: withLabels(volumeListing(engine)),
    // Nothing is built here.
    BuildCache: [],
  };
  if (template === undefined) return print(visibleJson(lists));
  const { writeRendered } = await import("./template/print.ts");
  // As it is, without the end of a line: a template may have made one of each thing.
  writeRendered(template(lists));
}

async function compiled(format: string): Promise<(data: unknown) => string> {
  const { compileTemplate } = await import("./template/render.ts");
  return compileTemplate(unescaped(format));
}
