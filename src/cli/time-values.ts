/** Points in time as --since and --until take them (moby api/types/time/timestamp.go). */
import { parseDuration } from "../base/duration.ts";
import { BockerError } from "../base/errors.ts";

const NANOSECOND_DIGITS = 9;

/** Nothing was logged before; and what has more than four digits of a year would not sort as text. */
const EARLIEST = 0;
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59);

/** Whole seconds and the digits behind them in the form of a log's times: RFC 3339, UTC, nine digits. */
function formatted(milliseconds: number, fraction: string): string {
  const time = Math.min(Math.max(milliseconds, EARLIEST), LATEST);
  return `${new Date(time).toISOString().slice(0, 19)}.${fraction.padEnd(NANOSECOND_DIGITS, "0").slice(0, NANOSECOND_DIGITS)}Z`;
}

/**
 * A Unix time, a duration before `now` (a negative one: after it), or a date with or without time and zone (then the local one).
 * @throws BockerError "invalid"
 */
export function parseTimestamp(text: string, now = Date.now()): string {
  const unix = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (unix !== null) return formatted(Number(unix[1]) * 1000, unix[2] ?? "");
  const duration = parseDuration(text);
  if (duration !== undefined) {
    const at = Math.min(Math.max(now - duration, EARLIEST), LATEST);
    return formatted(at, String(Math.floor(at % 1000)).padStart(3, "0"));
  }
  const date =
    /^(\d{4}-\d{2}-\d{2})(?:T(\d{2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(
      text,
    );
  if (date !== null) {
    const [, day, hour = "00", minute = "00", second = "00", fraction = "", zone = ""] = date;
    const time = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`);
    if (!Number.isNaN(time)) return formatted(time, fraction);
  }
  throw new BockerError("invalid", `failed to parse value as time or duration: ${JSON.stringify(text)}`);
}
