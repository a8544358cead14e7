/** `bocker events` */
import { BockerError, messageOf } from "../base/errors.ts";
import { type EventMessage, readEvents } from "../engine/events.ts";
import type { Command } from "./command.ts";
import { EVENT_FILTERS, matchesEvent } from "./event-filter.ts";
import { parseFilters } from "./filters.ts";
import type { FlagValues } from "./flags.ts";
import { printError, visible } from "./output.ts";
import { printRendered } from "./template/print.ts";
import { compileTemplate } from "./template/render.ts";
import { parseTimestamp } from "./time-values.ts";

const PER_SECOND = 1_000_000_000n;
/** Docker's code for a template that is none. */
const BAD_TEMPLATE = 64;

/** RFC 3339 in the local zone, always nine digits of nanoseconds. */
export function localTime(nanoseconds: bigint): string {
  const date = new Date(Number(nanoseconds / PER_SECOND) * 1000);
  const minutes = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, 19);
  const two = (value: number) => String(Math.trunc(value)).padStart(2, "0");
  const ahead = Math.abs(minutes);
  const zone = minutes === 0 ? "Z" : `${minutes < 0 ? "-" : "+"}${two(ahead / 60)}:${two(ahead % 60)}`;
  return `${local}.${String(nanoseconds % PER_SECOND).padStart(9, "0")}${zone}`;
}

/** Docker's line: attributes are sorted by their names. */
export function eventText({ type, action, id, attributes, time }: EventMessage): string {
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  const list = sorted.map(([key, value]) => `${key}=${value}`).join(", ");
  return `${localTime(time)} ${type} ${action} ${id}${list === "" ? "" : ` (${list})`}`;
}

/** A number that JavaScript has no room for. */
const exactly = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

/** The event as a template sees it: by Go's names; as JSON by the API's. */
export function templateData({ type, action, id, attributes, time }: EventMessage): object {
  // A Go map.
  const sorted: Record<string, string> = Object.create(null);
  for (const key of Object.keys(attributes).sort()) sorted[key] = attributes[key]!;
  const isOld = type === "container" || type === "image";
  const from = type === "container" ? (attributes["image"] ?? "") : "";
  const seconds = Number(time / PER_SECOND);
  const known = { Type: type, Action: action, Actor: { ID: id, Attributes: sorted } };
  const data = {
    Status: isOld ? action : "",
    ID: isOld ? id : "",
    From: from,
    ...known,
    Scope: "local",
    Time: seconds,
    TimeNano: String(time),
  };
  const toJSON = () => ({
    ...(isOld ? { status: action, id } : {}),
    ...(from === "" ? {} : { from }),
    ...known,
    scope: "local",
    time: seconds,
    timeNano: exactly(String(time)),
  });
  return Object.defineProperty(data, "toJSON", { value: toJSON });
}

/** What is printed of an event. Throws what the template has wrong, before there is any. */
function formatter(format: string | undefined): (message: EventMessage) => string {
  if (format === undefined || format === "") return eventText;
  const template = compileTemplate(format === "json" ? "{{json .}}" : format);
  template(templateData({ type: "", action: "", id: "", attributes: {}, time: 0n }));
  return (message) => template(templateData(message));
}

/** A point in time as nanoseconds since 1970. */
function timeOf(values: FlagValues, name: string): bigint | undefined {
  const text = values.string(name);
  if (text === undefined || text === "") return undefined;
  const [seconds = "", fraction = ""] = parseTimestamp(text).slice(0, -1).split(".");
  return BigInt(Date.parse(`${seconds}Z`) / 1000) * PER_SECOND + BigInt(fraction);
}

const asTimestamp = (time: bigint) => `${time / PER_SECOND}.${String(time % PER_SECOND).padStart(9, "0")}`;

export const eventsCommand: Command = {
  name: "events",
  usage: "[OPTIONS]",
  summary: "Get real time events from bocker",
  flags: [
    {
      name: "filter",
      short: "f",
      kind: "list",
      value: "filter",
      help: "Filter output based on conditions provided",
    },
    { name: "format", kind: "string", help: "Format output: 'json', or a Go template" },
    { name: "since", kind: "string", help: "Show all events created since timestamp" },
    { name: "until", kind: "string", help: "Stream events until this timestamp" },
  ],
  words: { least: 0, most: 0 },
  async run(values, engine) {
    let textOf: ReturnType<typeof formatter>;
    try {
      textOf = formatter(values.string("format"));
    } catch (error) {
      printError(visible(`Error parsing format: ${messageOf(error)}`));
      return BAD_TEMPLATE;
    }
    const filters = parseFilters(values.list("filter"), EVENT_FILTERS);
    const [since, until] = [timeOf(values, "since"), timeOf(values, "until")];
    if (since !== undefined && until !== undefined && until < since)
      throw new BockerError(
        "invalid",
        `\`since\` time (${asTimestamp(since)}) cannot be after \`until\` time (${asTimestamp(until)})`,
      );
    engine.ensureDirectories();
    for await (const messages of readEvents(engine, { since, until })) {
      const wanted = messages.filter((message) => matchesEvent(filters, message));
      if (wanted.length > 0) printRendered(wanted.map(textOf).join("\n"));
    }
    return 0;
  },
};
