/** --filter key=value, repeated (docker/cli opts.FilterOpt). */
import { BockerError } from "../base/errors.ts";

export type Filters = Map<string, string[]>;

/** Throws "invalid" for what has no "=" and for keys that the command does not know. */
export function parseFilters(texts: string[], known: readonly string[]): Filters {
  const filters: Filters = new Map();
  for (const text of texts) {
    // An empty variable of a script: Docker ignores it.
    if (text === "") continue;
    const equals = text.indexOf("=");
    if (equals < 0)
      throw new BockerError(
        "usage",
        `invalid argument ${JSON.stringify(text)} for "--filter" flag: bad format of filter (expected name=value)`,
      );
    const key = text.slice(0, equals).trim().toLowerCase();
    if (!known.includes(key)) throw new BockerError("invalid", `invalid filter '${key}'`);
    filters.set(key, [...(filters.get(key) ?? []), text.slice(equals + 1)]);
  }
  return filters;
}

/** 1 or true, 0 or false; undefined for what is neither. */
export function parseBoolean(value: string): boolean | undefined {
  if (value === "1" || value === "true") return true;
  return value === "0" || value === "false" ? false : undefined;
}

/** The last value of a filter that is true or false; undefined without one. Throws "invalid" (moby filters.GetBoolOrDefault). */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const value = filters.get(key)?.at(-1);
  if (value === undefined) return undefined;
  const found = parseBoolean(value);
  if (found === undefined) throw new BockerError("invalid", `invalid filter '${key}=[${value}]'`);
  return found;
}

/** The value of a label filter, NAME or NAME=VALUE. */
export function hasLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const equals = text.indexOf("=");
  return equals < 0 ? Object.hasOwn(labels, text) : labels[text.slice(0, equals)] === text.slice(equals + 1);
}
