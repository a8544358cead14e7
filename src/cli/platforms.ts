/** --platform where it may be said several times. */
import type { FlagValues } from "./flags.ts";

/** Its values, of which each may be several with commas between them. */
export function platformWords(values: FlagValues): string[] {
  return values
    .list("platform")
    .flatMap((text) => text.split(","))
    .map((word) => word.trim());
}
