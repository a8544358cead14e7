/** `bocker ps` */
import { BockerError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import type { Engine } from "../engine/engine.ts";
import { containerSize } from "../engine/size.ts";
import type { ContainerRecord, ContainerState, PublishedPort } from "../spec/container.ts";
import { readState } from "../state/status.ts";
import type { Command } from "./command.ts";
import { type Filters, parseFilters } from "./filters.ts";
import type { FlagValues } from "./flags.ts";
import { ago, humanDuration, humanSize } from "./human.ts";
import { printListing, type Row } from "./listing.ts";

const HEADS: Record<string, string> = {
  ID: "CONTAINER ID",
  Image: "IMAGE",
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  RunningFor: "CREATED",
  Status: "STATUS",
  State: "STATE",
  Ports: "PORTS",
  Names: "NAMES",
  Labels: "LABELS",
  Mounts: "MOUNTS",
  Networks: "NETWORKS",
  LocalVolumes: "LOCAL VOLUMES",
  Size: "SIZE",
};
const COLUMNS = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];
const COMMAND_WIDTH = 20;

/** "Up 3 minutes", "Exited (0) 2 hours ago", "Created" */
export function statusText(state: ContainerState, now = Date.now()): string {
  if (state.status === "created") return "Created";
  if (state.status === "running") return `Up ${humanDuration(now - Date.parse(state.started))}`;
  return `Exited (${state.code}) ${ago(state.finished, now)}`;
}

/** "0.0.0.0:8080->80/tcp, 443/tcp" */
function portsText(record: ContainerRecord, running: boolean): string {
  if (!running) return "";
  const published: PublishedPort[] = record.attachment?.published ?? [];
  const isPublished = (exposed: string) =>
    published.some(({ containerPort, protocol }) => `${containerPort}/${protocol}` === exposed);
  return [
    ...record.config.exposedPorts.filter((exposed) => !isPublished(exposed)),
    ...published.map(
      ({ hostIp, hostPort, containerPort, protocol }) =>
        `${hostIp}:${hostPort}->${containerPort}/${protocol}`,
    ),
  ].join(", ");
}

function commandText(record: ContainerRecord, full: boolean): string {
  const text = [...record.config.entrypoint, ...record.config.cmd].join(" ");
  return `"${full || text.length <= COMMAND_WIDTH ? text : `${text.slice(0, COMMAND_WIDTH - 1)}…`}"`;
}

/** As Docker prints times: 2024-05-01 12:00:00 +0000 UTC */
export function createdAt(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} +0000 UTC`;
}

function rowOf(engine: Engine, record: ContainerRecord, state: ContainerState, values: FlagValues): Row {
  const full = values.bool("no-trunc");
  const withSize = values.bool("size") || (values.string("format") ?? "").includes(".Size");
  const mounts = record.mounts
    .filter(({ type }) => type !== "tmpfs")
    .map(({ name, source }) => name || source);
  const mode = record.host.networkMode;
  return {
    ID: full ? record.id : shortId(record.id),
    Image: record.config.image,
    Command: commandText(record, full),
    CreatedAt: createdAt(record.created),
    RunningFor: ago(record.created),
    Status: statusText(state),
    State: state.status,
    Ports: portsText(record, state.status === "running"),
    Names: record.name,
    Labels: Object.entries(record.config.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Mounts: mounts.map((name) => (full || name.length <= 15 ? name : `${name.slice(0, 14)}…`)).join(","),
    Networks: mode.startsWith("container:") ? "" : mode,
    LocalVolumes: String(record.mounts.filter(({ type }) => type === "volume").length),
    Size: withSize ? sizeText(engine, record) : "",
  };
}

function sizeText(engine: Engine, record: ContainerRecord): string {
  const { written, total } = containerSize(engine, record);
  return `${humanSize(written)} (virtual ${humanSize(total)})`;
}

const MATCHERS: Record<string, (record: ContainerRecord, state: ContainerState, value: string) => boolean> = {
  id: (record, _, value) => record.id.startsWith(value),
  name: (record, _, value) =>
    new RegExp(value).test(record.name) || new RegExp(value).test(`/${record.name}`),
  label: ({ config: { labels } }, _, value) => {
    const equals = value.indexOf("=");
    if (equals < 0) return Object.hasOwn(labels, value);
    return labels[value.slice(0, equals)] === value.slice(equals + 1);
  },
  status: (_, state, value) => state.status === value,
  exited: (_, state, value) => state.status === "exited" && state.code === Number(value),
  ancestor: ({ config: { image }, imageId }, _, value) =>
    image === value ||
    image === `${value}:latest` ||
    `${image}:latest` === value ||
    imageId.startsWith(`sha256:${value}`),
  network: ({ host }, _, value) => host.networkMode === value,
  volume: ({ mounts }, _, value) =>
    mounts.some(({ name, destination }) => name === value || destination === value),
};

function matches(filters: Filters, record: ContainerRecord, state: ContainerState): boolean {
  return [...filters].every(([key, alternatives]) =>
    // Every label must be there; of other keys one value suffices (docker ps --filter).
    key === "label"
      ? alternatives.every((value) => MATCHERS["label"]!(record, state, value))
      : alternatives.some((value) => MATCHERS[key]!(record, state, value)),
  );
}

/** How many of the newest, running or not; undefined without -n and -l. */
function lastOf(values: FlagValues): number | undefined {
  if (values.bool("latest")) return 1;
  const last = values.int("last");
  return last === undefined || last < 0 ? undefined : last;
}

export const psCommand: Command = {
  name: "ps",
  usage: "[OPTIONS]",
  summary: "List containers",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "Show all containers (default shows just running)" },
    {
      name: "filter",
      short: "f",
      kind: "list",
      value: "filter",
      help: "Filter output based on conditions provided",
    },
    {
      name: "format",
      kind: "string",
      help: "Format output: 'table', 'table TEMPLATE', 'json', or a Go template",
    },
    { name: "last", short: "n", kind: "int", help: "Show n last created containers (includes all states)" },
    {
      name: "latest",
      short: "l",
      kind: "bool",
      help: "Show the latest created container (includes all states)",
    },
    { name: "no-trunc", kind: "bool", help: "Don't truncate output" },
    { name: "quiet", short: "q", kind: "bool", help: "Only display container IDs" },
    { name: "size", short: "s", kind: "bool", help: "Display total file sizes" },
  ],
  words: { least: 0, most: 0 },
  async run(values, engine) {
    const filters = parseFilters(values.list("filter"), Object.keys(MATCHERS));
    for (const status of filters.get("status") ?? [])
      if (!["created", "running", "exited", "paused", "restarting", "removing", "dead"].includes(status))
        throw new BockerError("invalid", `invalid filter 'status=${status}'`);
    const last = lastOf(values);
    const all = values.bool("all") || last !== undefined || filters.has("status") || filters.has("exited");
    const rows: Row[] = [];
    for (const record of engine.containers.list()) {
      const state = readState(engine.paths, record.id);
      if ((all || state.status === "running") && matches(filters, record, state))
        rows.push(rowOf(engine, record, state, values));
      if (last !== undefined && rows.length === last) break;
    }
    const columns = values.bool("size") ? [...COLUMNS, "Size"] : COLUMNS;
    printListing({ heads: HEADS, columns, rows }, values.string("format"), values.bool("quiet"));
    return 0;
  },
};
