/** Durations as Go writes them: 1h30m, -1.5s, 100ms. */

const NS_PER_MS = 1e6;
const UNITS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A Go duration such as 1h30m or -5s in milliseconds; undefined for other text. */
export function parseDuration(text: string): number | undefined {
  if (!/^[-+]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+)$/.test(text)) return undefined;
  let sum = 0;
  for (const [, value, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(value) * (UNITS[unit ?? ""] ?? 0);
  return text.startsWith("-") ? -sum : sum;
}

/** The same, in milliseconds; what Go does not take, or has no room for in 64 bits of nanoseconds, is refused in its words. */
export function requireDuration(text: string, refusal: (fault: string) => Error): number {
  const time = parseDuration(text);
  if (time !== undefined && Math.abs(time) * NS_PER_MS < 2 ** 63) return time;
  const isBare = time === undefined && /^[-+]?[\d.]*\d$/.test(text);
  throw refusal(`time: ${isBare ? "missing unit in" : "invalid"} duration ${JSON.stringify(text)}`);
}

/** A duration of milliseconds as Go prints it: 1m30s, 1.5s, 300ms. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return milliseconds === 0 ? "0s" : `${milliseconds}ms`;
  const minutes = Math.floor(milliseconds / UNITS["m"]!);
  const seconds = `${(milliseconds % UNITS["m"]!) / 1000}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}
