/** --filter key=value, repeated (docker/cli opts.FilterOpt). */
import { BockerError } from "../base/errors.ts";

export type Filters = Map<string, string[]>;

/** Throws "invalid" for what has no "=" and for keys that the command does not know. */
export function parseFilters(texts: string[], known: readonly string[]): Filters {
  const filters: Filters = new Map();
  for (const text of texts) {
    const equals = text.indexOf("=");
    if (equals < 0)
      throw new BockerError("invalid", "invalid argument: bad format of filter (expected name=value)");
    const key = text.slice(0, equals).trim().toLowerCase();
    if (!known.includes(key)) throw new BockerError("invalid", `invalid filter '${key}'`);
    filters.set(key, [...(filters.get(key) ?? []), text.slice(equals + 1)]);
  }
  return filters;
}
