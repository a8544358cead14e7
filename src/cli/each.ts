/** One action for each of several names, as Docker does it: what fails is reported, the rest goes on. */
import { BockerError, messageOf } from "../base/errors.ts";
import { print, printError, visible } from "./output.ts";

/**
 * Runs `action` for all words at once; prints what it returns (undefined: nothing) in their order.
 * Returns the exit code, 1 when one failed. With `missingIsFine` (-f of rm and rmi) what does not exist is
 * reported, but is no failure.
 */
export async function forEachWord(
  words: string[],
  action: (word: string) => Promise<string | undefined>,
  missingIsFine = false,
): Promise<number> {
  let code = 0;
  for (const result of await Promise.allSettled(words.map((word) => action(word)))) {
    if (result.status === "fulfilled") {
      if (result.value !== undefined) print(result.value);
    } else {
      printError(`Error: ${visible(messageOf(result.reason))}`);
      const { reason } = result;
      if (!(missingIsFine && reason instanceof BockerError && reason.code === "not-found")) code = 1;
    }
  }
  return code;
}
