/** The environment of a container's program. */

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Environment variables, the last of a name winning, in the order of first appearance. */
export function mergeEnvironment(...lists: string[][]): string[] {
  const values = new Map<string, string>();
  for (const entry of lists.flat()) values.set(entry.split("=", 1)[0] ?? "", entry);
  return [...values.values()];
}

/** PATH, HOSTNAME, TERM and HOME as Docker sets them, where the image and the user have not. */
export function processEnvironment(
  configured: string[],
  options: { hostname: string; home: string; tty: boolean },
): string[] {
  const base = [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${options.hostname}`];
  if (options.tty) base.push("TERM=xterm");
  const merged = mergeEnvironment(base, configured);
  return merged.some((entry) => entry.startsWith("HOME=")) ? merged : [...merged, `HOME=${options.home}`];
}
