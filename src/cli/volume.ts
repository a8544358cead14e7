/** `bocker volume create|ls|inspect|rm|prune` */
import { BockerError, messageOf } from "../base/errors.ts";
import { inspectVolume } from "../engine/inspect-volume.ts";
import {
  createVolume,
  pruneVolumes,
  removeVolume,
  requireVolume,
  volumeUsers,
} from "../engine/volume-commands.ts";
import { snapshotOf, type VolumeRecord, VolumeTable } from "../state/volumes.ts";
import type { Command } from "./command.ts";
import { confirmed } from "./confirm.ts";
import type { Found } from "./documents.ts";
import { forEachWord } from "./each.ts";
import { booleanFilter, type Filters, hasLabel, parseFilters } from "./filters.ts";
import { printListing, type Row } from "./listing.ts";
import { print, printDamaged, printError, visible } from "./output.ts";
import { printPruned, printReclaimed } from "./pruned.ts";
import { parseLabels, parseStorageSize } from "./values.ts";

function matches(record: VolumeRecord, filters: Filters): boolean {
  const all = (key: string, holds: (value: string) => boolean) => (filters.get(key) ?? []).some(holds);
  const has = (key: string) => filters.has(key);
  const isLabelled = (text: string) => hasLabel(record.labels, text);
  return (
    (!has("name") || all("name", (value) => record.name.includes(value))) &&
    (!has("snapshot-of") || all("snapshot-of", (value) => snapshotOf(record) === value)) &&
    (!has("driver") || all("driver", (value) => value === "local")) &&
    (filters.get("label") ?? []).every(isLabelled) &&
    !(filters.get("label!") ?? []).some(isLabelled)
  );
}

export const volumeCreateCommand: Command = {
  name: "volume create",
  usage: "[OPTIONS] [VOLUME]",
  summary: "Create a volume",
  flags: [
    { name: "driver", short: "d", kind: "string", help: 'Specify volume driver name (default "local")' },
    { name: "label", kind: "list", help: "Set metadata for a volume" },
    { name: "label-file", kind: "list", help: "Read in a line delimited file of labels" },
    { name: "opt", short: "o", kind: "list", help: "Set driver specific options (size=, with btrfs)" },
  ],
  words: { least: 0, most: 1 },
  async run(values, engine) {
    const driver = values.string("driver") ?? "local";
    if (driver !== "local")
      throw new BockerError(
        "unsupported",
        `the volume driver "${driver}" is not supported: there is "local" only`,
      );
    const size = parseStorageSize(values.list("opt"), "--opt");
    print(createVolume(engine, values.positional[0] || undefined, parseLabels(values), size).name);
    return 0;
  },
};

/** What a template may name of a volume, and the heads of its columns. */
export const VOLUME_HEADS: Record<string, string> = {
  Driver: "DRIVER",
  Name: "VOLUME NAME",
  Labels: "LABELS",
  Mountpoint: "MOUNTPOINT",
  Scope: "SCOPE",
  Links: "LINKS",
  Availability: "AVAILABILITY",
  Group: "GROUP",
  Size: "SIZE",
  Status: "STATUS",
};

/** A volume and how many containers have it, as listings show them. */
export function volumeRow(volume: ReturnType<typeof inspectVolume>, links: number): Row {
  return {
    Driver: volume.Driver,
    Name: volume.Name,
    Labels: Object.entries(volume.Labels ?? {})
      .map((label) => label.join("="))
      .join(","),
    Mountpoint: volume.Mountpoint,
    Scope: volume.Scope,
    Links: String(links),
    // As Docker, which has them in its clusters, and sizes in `system df -v` only.
    Availability: "N/A",
    Group: "N/A",
    Size: "N/A",
    Status: "N/A",
  };
}

export const volumeListCommand: Command = {
  name: "volume ls",
  usage: "[OPTIONS]",
  summary: "List volumes",
  flags: [
    {
      name: "filter",
      short: "f",
      kind: "list",
      value: "filter",
      help: "Filter output (dangling, driver, label, name,\nsnapshot-of)",
    },
    {
      name: "format",
      kind: "string",
      help: "Format output: 'table', 'table TEMPLATE', 'json', or a Go template",
    },
    { name: "quiet", short: "q", kind: "bool", help: "Only display volume names" },
  ],
  words: { least: 0, most: 0 },
  async run(values, engine) {
    const filters = parseFilters(values.list("filter"), [
      "dangling",
      "driver",
      "label",
      "name",
      "snapshot-of",
    ]);
    const dangling = booleanFilter(filters, "dangling");
    const users = volumeUsers(engine);
    const volumes = new VolumeTable(engine.database)
      .list(printDamaged)
      .filter((record) => dangling !== users.has(record.name) && matches(record, filters))
      .map((record) => inspectVolume(engine, record));
    const rows = volumes.map((volume) => volumeRow(volume, users.get(volume.Name)?.length ?? 0));
    const labels = volumes.map(({ Labels }) => Labels ?? {});
    await printListing(
      { heads: VOLUME_HEADS, columns: ["Driver", "Name"], rows, labels },
      values.string("format"),
      values.bool("quiet"),
    );
    return 0;
  },
};

export const volumeInspectCommand: Command = {
  name: "volume inspect",
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Display detailed information on one or more volumes",
  flags: [{ name: "format", short: "f", kind: "string", help: "Format output: 'json' or a Go template" }],
  words: { least: 1 },
  async run(values, engine) {
    const found: Found[] = [];
    let code = 0;
    for (const name of values.positional)
      try {
        found.push({ type: "volume", document: inspectVolume(engine, requireVolume(engine, name)) });
      } catch (error) {
        printError(`Error: ${visible(messageOf(error))}`);
        code = 1;
      }
    const { printDocuments } = await import("./documents.ts");
    await printDocuments(found, values.string("format"));
    return code;
  },
};

export const volumeRemoveCommand: Command = {
  name: "volume rm",
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Remove one or more volumes",
  flags: [
    { name: "dry-run", kind: "bool", help: "Print what would be removed, and remove nothing" },
    { name: "force", short: "f", kind: "bool", help: "Force the removal of one or more volumes" },
  ],
  words: { least: 1 },
  run(values, engine) {
    const [dry, force] = [values.bool("dry-run"), values.bool("force")];
    return forEachWord(values.positional, async (name) => {
      try {
        if (!dry) removeVolume(engine, name);
        else if (volumeUsers(engine).has(requireVolume(engine, name).name))
          throw new BockerError("conflict", `remove ${name}: volume is in use`);
      } catch (error) {
        // As Docker, which is content when there is none.
        if (!(force && error instanceof BockerError && error.code === "not-found")) throw error;
      }
      return name;
    });
  },
};

export const volumePruneCommand: Command = {
  name: "volume prune",
  usage: "[OPTIONS]",
  summary: "Remove unused local volumes",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "Remove all unused volumes, not just anonymous ones" },
    { name: "dry-run", kind: "bool", help: "Print what would be removed, and remove nothing" },
    { name: "filter", kind: "list", value: "filter", help: 'Provide filter values (e.g. "label=<label>")' },
    { name: "force", short: "f", kind: "bool", help: "Do not prompt for confirmation" },
  ],
  words: { least: 0, most: 0 },
  async run(values, engine) {
    const filters = parseFilters(values.list("filter"), ["label", "label!", "all"]);
    const all = values.bool("all") || booleanFilter(filters, "all") === true;
    const what = all ? "all local volumes" : "anonymous local volumes";
    const dry = values.bool("dry-run");
    const question = `WARNING! This will remove ${what} not used by at least one container.`;
    if (!dry && !values.bool("force") && !confirmed(question)) return 0;
    const isWanted = (record: VolumeRecord) => matches(record, filters);
    const { names, bytes } = pruneVolumes(engine, { all, isWanted, dry, gone: new Set() });
    printPruned(dry, "Volumes", names);
    printReclaimed(bytes);
    return 0;
  },
};
