/** Sizes and times as Docker's tables show them (docker/go-units). */

const SIZE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Four significant digits at most: "7.83MB", "0B", "1.234GB"; decimal units. */
export function humanSize(bytes: number, precision = 3): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < SIZE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(precision))}${SIZE_UNITS[unit]}`;
}

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** "Less than a second", "3 minutes", "About an hour", "2 weeks" */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const hours = Math.round(seconds / HOUR);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < MINUTE) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / MINUTE);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  const days = Math.floor(hours / 24);
  if (hours < 24 * 7 * 2) return `${days} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(days / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(days / 30)} months`;
  return `${Math.floor(seconds / DAY / 365)} years`;
}

/** How long ago an RFC 3339 time is: "3 minutes ago", "N/A" for one that says nothing. */
export function ago(time: string, now = Date.now()): string {
  const at = Date.parse(time);
  if (Number.isNaN(at) || at <= 0) return "N/A";
  return `${humanDuration(now - at)} ago`;
}
