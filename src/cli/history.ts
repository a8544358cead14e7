/** `bocker history` */
import { shortId } from "../base/ids.ts";
import { wholeSeconds } from "../base/whole-seconds.ts";
import { imageHistory } from "../engine/history.ts";
import { platformsOf } from "../engine/kept-index.ts";
import type { Command } from "./command.ts";
import { ago, humanSize } from "./human.ts";
import { printListing } from "./listing.ts";

const HEADS: Record<string, string> = {
  ID: "IMAGE",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  CreatedBy: "CREATED BY",
  Size: "SIZE",
  Comment: "COMMENT",
};
/** Characters. */
const CREATED_BY_MAX = 45;

const shortened = (text: string) =>
  text.length > CREATED_BY_MAX ? `${text.slice(0, CREATED_BY_MAX - 1)}…` : text;

export const historyCommand: Command = {
  name: "history",
  usage: "[OPTIONS] IMAGE",
  summary: "Show the history of an image",
  flags: [
    {
      name: "format",
      kind: "string",
      help: "Format output: 'table', 'table TEMPLATE', 'json', or a Go template",
    },
    {
      name: "human",
      short: "H",
      kind: "bool",
      help: "Print sizes and dates in human readable format (default true)",
    },
    { name: "no-trunc", kind: "bool", help: "Don't truncate output" },
    { name: "platform", kind: "string", help: "Show the image of this platform, or refuse" },
    { name: "quiet", short: "q", kind: "bool", help: "Only show image IDs" },
  ],
  words: { least: 1, most: 1 },
  async run(values, engine) {
    const [reference = ""] = values.positional;
    const text = values.string("platform");
    const [platform] = platformsOf(text === undefined ? [] : [text]);
    const full = values.bool("no-trunc");
    const human = values.bool("human", true);
    const rows = imageHistory(engine, reference, platform).map((step) => ({
      ID: step.id === undefined ? "<missing>" : full ? step.id : shortId(step.id),
      CreatedSince: human ? ago(step.created) : wholeSeconds(step.created),
      CreatedAt: wholeSeconds(step.created),
      CreatedBy: full ? step.createdBy : shortened(step.createdBy),
      Size: human ? humanSize(step.size) : String(step.size),
      Comment: step.comment,
    }));
    const columns = ["ID", "CreatedSince", "CreatedBy", "Size", "Comment"];
    await printListing({ heads: HEADS, columns, rows }, values.string("format"), values.bool("quiet"));
    return 0;
  },
};
