/** What is told of a container: the events that the engine records, and those that its monitor will. */
import { EVENT_CODE, EVENT_DURATION, EVENT_OOM, type Operation } from "../runtime/plan/operation.ts";
import type { ContainerRecord } from "../spec/container.ts";
import {
  actorText,
  type Event,
  eventHead,
  headText,
  JOURNAL_LIMIT,
  journalPath,
  recordHeads,
} from "../state/events.ts";
import type { Paths } from "../state/paths.ts";
import type { Engine } from "./engine.ts";

/** @param more attributes besides the image, the name and the labels */
export function containerEvent(
  { id, name, config }: ContainerRecord,
  action: string,
  more?: Readonly<Record<string, string>>,
): Event {
  return {
    type: "container",
    action,
    id,
    attributes: { image: config.image, name, ...more },
    labels: config.labels,
  };
}

/** Of each record what its events have in common. */
const actors = new WeakMap<ContainerRecord, string>();

/** The head of an event without further attributes. */
function headOf(record: ContainerRecord, action: string): string {
  let actor = actors.get(record);
  if (actor === undefined) {
    actor = actorText(containerEvent(record, ""));
    actors.set(record, actor);
  }
  return headText("container", action, actor);
}

/** Says what has happened to a container that has its name. */
export function recordContainerEvents(
  { paths }: Pick<Engine, "paths">,
  record: ContainerRecord,
  ...actions: string[]
): void {
  recordHeads(
    paths,
    actions.map((action) => headOf(record, action)),
  );
}

/**
 * What the launcher writes at one moment.
 * @param what the events in short
 * @param lines a line each: what is added to it (EVENT_*), and its head
 */
export function eventsOperation(
  paths: Paths,
  phase: "host" | "started" | "ended",
  what: string,
  lines: string,
): Operation {
  const path = journalPath(paths);
  return {
    op: "events",
    phase,
    optional: true,
    group: "exec",
    what: `append to ${path}: ${what}`,
    why: "for `bocker events`: there is no daemon that could be asked",
    path,
    limit: JOURNAL_LIMIT,
    lines,
  };
}

/** Of a network of its own. */
function networkLine({ id, host: { networkMode } }: ContainerRecord, action: string): string {
  if (networkMode.startsWith("container:")) return "";
  const type = networkMode === "none" ? "null" : networkMode;
  const attributes = { container: id, name: networkMode, type };
  return `0${eventHead({ type: "network", action, id: networkMode, attributes })}\n`;
}

function volumeLines({ id, mounts }: ContainerRecord, action: "mount" | "unmount"): string {
  let lines = "";
  for (const { type, name, destination, readOnly, propagation } of mounts) {
    if (type !== "volume") continue;
    const attributes =
      action === "mount"
        ? { container: id, destination, driver: "local", propagation, "read/write": String(!readOnly) }
        : { container: id, driver: "local" };
    lines += `0${eventHead({ type: "volume", action, id: name, attributes })}\n`;
  }
  return lines;
}

/** What the monitor tells of a container, as nobody else is there at its end. In Docker's order. */
export function monitorEvents({ paths }: Engine, record: ContainerRecord): Operation[] {
  const line = (added: number, action: string) => `${added}${headOf(record, action)}\n`;
  return [
    eventsOperation(
      paths,
      "started",
      "it is started, and connected to its network and volumes",
      volumeLines(record, "mount") + networkLine(record, "connect") + line(0, "start"),
    ),
    eventsOperation(
      paths,
      "ended",
      "it has ended, how, and all that it was connected to is free",
      line(EVENT_OOM, "oom") +
        line(EVENT_CODE | EVENT_DURATION, "die") +
        networkLine(record, "disconnect") +
        volumeLines(record, "unmount"),
    ),
  ];
}
