/** Comparing releases of Linux. */

/** "6.1.0-18" is at least "4.8". A release that cannot be read counts as old: the stricter answer. */
export function kernelAtLeast(release: string, minimum: string): boolean {
  const have = /^(\d+)\.(\d+)/.exec(release);
  const want = /^(\d+)\.(\d+)/.exec(minimum);
  if (have === null || want === null) return false;
  const major = Number(have[1]) - Number(want[1]);
  return major > 0 || (major === 0 && Number(have[2]) >= Number(want[2]));
}
