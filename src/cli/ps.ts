/** `bocker ps` */
import { shortId } from "../base/ids.ts";
import type { Engine } from "../engine/engine.ts";
import type { ContainerRecord, ContainerState, PublishedPort } from "../spec/container.ts";
import type { HealthStatus } from "../state/health.ts";
import { isRestarting, isUp, stateName, stateReader } from "../state/status.ts";
import type { Command } from "./command.ts";
import type { ContainerFilter } from "./container-filter.ts";
import type { FlagValues } from "./flags.ts";
import { ago, humanDuration, humanSize } from "./human.ts";
import { printListing, type Row, rowOf, wantedFields } from "./listing.ts";
import { printDamaged } from "./output.ts";

/** What a template may name of a container, and the heads of its columns. */
export const CONTAINER_HEADS: Record<string, string> = {
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

/** "Up 3 minutes (healthy)", "Exited (0) 2 hours ago", "Created" */
function statusText(state: ContainerState, health: string | undefined, now = Date.now()): string {
  if (state.status === "created") return "Created";
  if (state.status === "running") {
    const remark = state.paused ? "Paused" : health === "starting" ? "health: starting" : health;
    return `Up ${humanDuration(now - Date.parse(state.started))}${remark ? ` (${remark})` : ""}`;
  }
  return `${isRestarting(state) ? "Restarting" : "Exited"} (${state.code}) ${ago(state.finished, now)}`;
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

/** One container as the listing shows it. */
export interface ShownContainer {
  record: ContainerRecord;
  state: ContainerState;
  /** Of one whose health is checked. */
  health: HealthStatus | undefined;
  full: boolean;
  /** undefined when nobody asked: it takes a walk through the container's files. */
  sizeOf: ((record: ContainerRecord) => string) | undefined;
}

/** Each is worked out for listings that show it: a thousand containers have fourteen thousand. */
const FIELDS: Record<string, (shown: ShownContainer) => string> = {
  ID: ({ record, full }) => (full ? record.id : shortId(record.id)),
  Image: ({ record }) => record.config.image,
  Command: ({ record, full }) => commandText(record, full),
  CreatedAt: ({ record }) => createdAt(record.created),
  RunningFor: ({ record }) => ago(record.created),
  Status: ({ state, health }) => statusText(state, health),
  State: ({ state }) => stateName(state),
  Ports: ({ record, state }) => portsText(record, state.status === "running"),
  Names: ({ record }) => record.name,
  Labels: ({ record }) =>
    Object.entries(record.config.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
  Mounts: ({ record, full }) =>
    record.mounts
      .filter(({ type }) => type !== "tmpfs")
      .map(({ name, source }) => name || source)
      .map((name) => (full || name.length <= 15 ? name : `${name.slice(0, 14)}…`))
      .join(","),
  Networks: ({ record }) => (record.host.networkMode.startsWith("container:") ? "" : record.host.networkMode),
  LocalVolumes: ({ record }) => String(record.mounts.filter(({ type }) => type === "volume").length),
  Size: ({ record, sizeOf }) => sizeOf?.(record) ?? "0B",
};

/** A container's fields of these names; without names all. */
export function containerRow(shown: ShownContainer, wanted?: string[]): Row {
  return rowOf(FIELDS, shown, wanted);
}

async function sizeReader(engine: Engine): Promise<(record: ContainerRecord) => string> {
  const { containerSize } = await import("../engine/size.ts");
  return (record) => {
    const { written, total } = containerSize(engine, record);
    return `${humanSize(written)} (virtual ${humanSize(total)})`;
  };
}

/** undefined without --filter: nothing is loaded for it. */
async function filterOf(values: FlagValues, engine: Engine): Promise<ContainerFilter | undefined> {
  const texts = values.list("filter");
  if (texts.length === 0) return undefined;
  const { containerFilter } = await import("./container-filter.ts");
  return containerFilter(engine, texts);
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
    const filter = await filterOf(values, engine);
    const last = lastOf(values);
    const all =
      values.bool("all") ||
      last !== undefined ||
      filter?.filters.has("status") === true ||
      filter?.filters.has("exited") === true;
    const columns = values.bool("size") ? [...COLUMNS, "Size"] : COLUMNS;
    const wanted = wantedFields(values, columns, FIELDS);
    const full = values.bool("no-trunc");
    const measured = values.bool("size") || (values.string("format") ?? "").includes(".Size");
    const sizeOf = measured ? await sizeReader(engine) : undefined;
    const stateOf = stateReader(engine.paths);
    const rows: Row[] = [];
    const labels: Record<string, string>[] = [];
    for (const record of engine.containers.list(printDamaged)) {
      const state = stateOf(record.id);
      if ((all || isUp(state)) && filter?.matches(record, state) !== false) {
        const health =
          record.config.healthcheck &&
          (await import("../state/health.ts")).healthStatus(engine.paths, record, state);
        rows.push(containerRow({ record, state, health, full, sizeOf }, wanted));
        labels.push(record.config.labels);
      }
      if (last !== undefined && rows.length === last) break;
    }
    await printListing(
      { heads: CONTAINER_HEADS, columns, rows, labels },
      values.string("format"),
      values.bool("quiet"),
    );
    return 0;
  },
};
