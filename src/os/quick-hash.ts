/** A hash for file names: quick, and nothing that anybody could rely on (Bun's wyhash). */

/** Sixteen hexadecimal digits at most. In Bun only. */
export function quickHash(text: string): string {
  return Bun.hash(text).toString(16);
}
