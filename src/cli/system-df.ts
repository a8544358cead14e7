/** `bocker system df` */
import type { Engine } from "../engine/engine.ts";
import { containerUsage, contentUsage, imageUsage, type Usage, volumeUsage } from "../engine/system-df.ts";
import type { Command } from "./command.ts";
import { humanSize } from "./human.ts";
import { printListing, type Row } from "./listing.ts";

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
    const { printVerbose } = await import("./system-df-verbose.ts");
    await printVerbose(engine, format);
    return 0;
  },
};
