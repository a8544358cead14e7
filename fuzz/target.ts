/** What is fuzzed: a function of bytes, and what may come out of it. */
import { BockerError, type ErrorCode } from "../src/base/errors.ts";

export interface Target {
  readonly name: string;
  /** Inputs to begin with; those below fuzz/corpus/NAME are added. */
  readonly seeds: readonly (string | Uint8Array)[];
  /** Codes of the errors that an input may end with. */
  readonly codes: readonly ErrorCode[];
  /** Reads the input; what it returns tells inputs apart that went different ways. */
  run(input: Buffer): unknown;
  /** Makes a mutated input more likely to be read to its end (checksums). */
  repair?(input: Buffer): Buffer;
  /** After the last input. */
  close?(): void;
}

/** Something came out that may not. */
export class Finding extends Error {
  override readonly name = "Finding";
}

/** Runs one input. Returns a word for how it went; throws a Finding for what may not come out. */
export function outcome(target: Target, input: Buffer): string {
  try {
    return `ok ${String(target.run(input)).slice(0, 40)}`;
  } catch (error) {
    if (error instanceof Finding) throw error;
    if (!(error instanceof BockerError))
      throw new Finding(`${error instanceof Error ? error.stack : String(error)}`, { cause: error });
    if (!target.codes.includes(error.code))
      throw new Finding(
        `${error.code}: ${error.stack}\n${error.cause instanceof Error ? error.cause.stack : ""}`,
        { cause: error },
      );
    // The words without what was quoted: which refusal it was.
    return `${error.code} ${error.message.replace(/["'`(].*["'`)]|\d+/gs, "_").slice(0, 40)}`;
  }
}
