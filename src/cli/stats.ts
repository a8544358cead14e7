/** `bocker stats` */
import { totalmem } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { shortId } from "../base/ids.ts";
import { readLayout } from "../cgroup/layout.ts";
import type { Engine } from "../engine/engine.ts";
import { type ContainerUsage, containerUsage, cpuPercent } from "../engine/stats.ts";
import { isTerminal } from "../os/terminal.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { readState } from "../state/status.ts";
import { binarySize } from "./binary-size.ts";
import type { Command } from "./command.ts";
import type { FlagValues } from "./flags.ts";
import { humanSize } from "./human.ts";
import { printListing, type Row } from "./listing.ts";
import { printDamaged, writeFully } from "./output.ts";

const HEADS: Record<string, string> = {
  Container: "CONTAINER",
  ID: "CONTAINER ID",
  Name: "NAME",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
};
const COLUMNS = Object.keys(HEADS).slice(1);
/** Milliseconds over which processors are measured, and between two pictures. */
const INTERVAL = 1000;
const HOME_AND_CLEAR = "\x1b[H\x1b[J";

const NOTHING: ContainerUsage = {
  at: 0,
  cpu: 0,
  memory: 0,
  memoryLimit: 0,
  pids: 0,
  io: { read: 0, written: 0 },
  network: { received: 0, sent: 0 },
};

const percent = (value: number) => `${value.toFixed(2)}%`;

function rowOf(
  record: ContainerRecord,
  before: ContainerUsage | undefined,
  usage: ContainerUsage | undefined,
  full: boolean,
): Row {
  const now = usage ?? NOTHING;
  const memory = totalmem();
  const limit = Math.min(now.memoryLimit ?? memory, memory);
  const id = full ? record.id : shortId(record.id);
  const { network, io } = now;
  return {
    Container: id,
    ID: id,
    Name: record.name,
    CPUPerc: percent(cpuPercent(before, now)),
    MemUsage: `${binarySize(now.memory)} / ${binarySize(limit)}`,
    MemPerc: percent(limit === 0 ? 0 : (now.memory / limit) * 100),
    NetIO: `${humanSize(network.received)} / ${humanSize(network.sent)}`,
    BlockIO: io === undefined ? "-- / --" : `${humanSize(io.read)} / ${humanSize(io.written)}`,
    PIDs: String(now.pids),
  };
}

/** Those that were named, as long as they are there; else all that run, or all. */
function chosen(values: FlagValues, engine: Engine, named: readonly ContainerRecord[]): ContainerRecord[] {
  if (named.length > 0) return named.filter(({ id }) => engine.containers.get(id) !== undefined);
  const all = engine.containers.list(printDamaged);
  return values.bool("all") ? all : all.filter(({ id }) => readState(engine.paths, id).status === "running");
}

async function run(values: FlagValues, engine: Engine): Promise<number> {
  const named = values.positional.map((word) => engine.containers.find(word));
  const once = values.bool("no-stream");
  const layout = readLayout();
  let before = new Map<string, ContainerUsage>();
  for (let round = 0; ; round++) {
    const records = chosen(values, engine, named);
    const now = new Map<string, ContainerUsage>();
    for (const record of records) {
      const usage = containerUsage(engine, record, layout);
      if (usage !== undefined) now.set(record.id, usage);
    }
    // The first time there is nothing yet to compare with.
    if (round > 0) {
      if (isTerminal(1) && !once) writeFully(1, HOME_AND_CLEAR);
      const rows = records.map((record) =>
        rowOf(record, before.get(record.id), now.get(record.id), values.bool("no-trunc")),
      );
      await printListing({ heads: HEADS, columns: COLUMNS, rows }, values.string("format"), false);
    }
    if ((once && round > 0) || (named.length > 0 && records.length === 0)) return 0;
    before = now;
    await delay(INTERVAL);
  }
}

export const statsCommand: Command = {
  name: "stats",
  usage: "[OPTIONS] [CONTAINER...]",
  summary: "Display a live stream of container(s) resource usage statistics",
  flags: [
    { name: "all", short: "a", kind: "bool", help: "Show all containers (default shows just running)" },
    {
      name: "format",
      kind: "string",
      help: "Format output: 'table', 'table TEMPLATE', 'json', or a Go template",
    },
    { name: "no-stream", kind: "bool", help: "Disable streaming stats and only pull the first result" },
    { name: "no-trunc", kind: "bool", help: "Do not truncate output" },
  ],
  words: { least: 0 },
  run,
};
