/** `bocker logs` */
import { BockerError } from "../base/errors.ts";
import { type LogEntry, readLogs } from "../engine/logs.ts";
import type { Command } from "./command.ts";
import type { FlagValues } from "./flags.ts";
import { writeFully } from "./output.ts";
import { parseTimestamp } from "./time-values.ts";

function tailOf(values: FlagValues): number | undefined {
  const text = values.string("tail");
  if (text === undefined || text === "all" || text.startsWith("-")) return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw new BockerError("invalid", `invalid value for "tail": ${text} must be a number or "all"`);
  return Number(text);
}

/** Writes entries to their own streams, neighbours of one stream at once. */
function write(entries: LogEntry[], timestamps: boolean): void {
  let fd = 0;
  let text = "";
  for (const { log, stream, time } of entries) {
    const target = stream === "stderr" ? 2 : 1;
    if (target !== fd && text !== "") {
      writeFully(fd, text);
      text = "";
    }
    fd = target;
    text += timestamps ? `${time} ${log}` : log;
  }
  if (text !== "") writeFully(fd, text);
}

export const logsCommand: Command = {
  name: "logs",
  usage: "[OPTIONS] CONTAINER",
  summary: "Fetch the logs of a container",
  flags: [
    { name: "details", kind: "bool", help: "", unsupported: true },
    { name: "follow", short: "f", kind: "bool", help: "Follow log output" },
    {
      name: "since",
      kind: "string",
      help: 'Show logs since timestamp (e.g.\n"2013-01-02T13:23:37Z") or relative (e.g. "42m")',
    },
    {
      name: "tail",
      short: "n",
      kind: "string",
      help: 'Number of lines to show from the end (default "all")',
    },
    { name: "timestamps", short: "t", kind: "bool", help: "Show timestamps" },
    { name: "until", kind: "string", help: "Show logs before a timestamp or relative time" },
  ],
  repair: "boot",
  words: { least: 1, most: 1 },
  async run(values, engine) {
    const record = engine.containers.find(values.positional[0] ?? "");
    const time = (name: string) => (values.has(name) ? parseTimestamp(values.string(name) ?? "") : undefined);
    const query = {
      follow: values.bool("follow"),
      tail: tailOf(values),
      since: time("since"),
      until: time("until"),
    };
    for await (const entries of readLogs(engine, record, query)) write(entries, values.bool("timestamps"));
    return 0;
  },
};
