/** Which events --filter lets through (moby daemon/events/filter.go). */
import { familiarName, parseReference } from "../base/reference.ts";
import type { EventMessage } from "../engine/events.ts";
import { type Filters, hasLabel } from "./filters.ts";

/** Kinds of things, each a filter by their ids and names. */
const KINDS = ["container", "daemon", "network", "volume"] as const;

export const EVENT_FILTERS = [...KINDS, "event", "image", "label", "scope", "type"];

/** Actions that go on with a program's command line: these words alone stand for all. */
const BEGINNINGS = ["exec_create", "exec_start", "health_status"];

type Matches = (wanted: readonly string[], message: EventMessage) => boolean;

const isExactly = (wanted: readonly string[], text: string | undefined) =>
  text !== undefined && wanted.includes(text);
const begins = (wanted: readonly string[], text: string | undefined) =>
  text !== undefined && wanted.some((beginning) => text.startsWith(beginning));

function withoutTag(image: string): string {
  try {
    return familiarName(parseReference(image));
  } catch {
    return image;
  }
}

const isOf: Matches = (wanted, { id, attributes }) =>
  begins(wanted, id) || begins(wanted, attributes["name"]);

const MATCHES: Record<string, Matches> = {
  ...Object.fromEntries(KINDS.map((kind) => [kind, isOf])),
  event: (wanted, { action }) =>
    wanted.some((word) => BEGINNINGS.includes(word)) ? begins(wanted, action) : isExactly(wanted, action),
  // A container's events are those of its image, too.
  image: (wanted, { type, id, attributes }) =>
    [id, attributes[type === "image" ? "name" : "image"] ?? ""].some(
      (name) => isExactly(wanted, name) || isExactly(wanted, withoutTag(name)),
    ),
  label: (wanted, { attributes }) => wanted.every((text) => hasLabel(attributes, text)),
  scope: (wanted) => wanted.includes("local"),
  type: (wanted, { type }) => wanted.includes(type),
};

/** Of each filter one value must match, of labels all. */
export function matchesEvent(filters: Filters, message: EventMessage): boolean {
  return [...filters].every(([key, wanted]) => MATCHES[key]!(wanted, message));
}
