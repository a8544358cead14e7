/** --filter until=TIME: what was made before. */
import { BockerError } from "../base/errors.ts";
import type { Filters } from "./filters.ts";
import { parseTimestamp } from "./time-values.ts";

/** Whether the filter lets something through that was made then (RFC 3339). Throws "invalid" for a time that is none, and for two. */
export function untilMatcher(filters: Filters): (created: string) => boolean {
  const limits = (filters.get("until") ?? []).map((text) => Date.parse(parseTimestamp(text)));
  if (limits.length > 1) throw new BockerError("invalid", "more than one until filter specified");
  return (created) => limits.every((limit) => Date.parse(created) < limit);
}
