/** The command line of `npm run bench -- …`. */
import { parseArgs } from "node:util";

export interface Options {
  /** Parts to run; empty for all. */
  parts: string[];
  /** How often the quick commands are timed; long ones are timed a fifth as often. */
  rounds: number;
  /** Sizes and counts are multiplied with it; a smoke test uses 0.1. */
  scale: number;
  /** Engines to compare; empty for all that are installed. */
  engines: string[];
  json: string | undefined;
  svg: string | undefined;
  /** Write the table and the picture into docs/. */
  docs: boolean;
}

/** @throws TypeError for an unknown flag, RangeError for a number that is none */
export function parseOptions(words: string[], parts: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "20" },
      scale: { type: "string", default: "1" },
      engines: { type: "string", default: "" },
      json: { type: "string" },
      svg: { type: "string" },
      docs: { type: "boolean", default: false },
    },
  });
  const number = (text: string, name: string) => {
    const value = Number(text);
    if (!(value > 0)) throw new RangeError(`--${name} must be a positive number, not ${text}`);
    return value;
  };
  const unknown = positionals.find((part) => !parts.includes(part));
  if (unknown !== undefined) throw new RangeError(`no part ${unknown}; there are: ${parts.join(" ")}`);
  return {
    parts: positionals,
    rounds: Math.round(number(values.rounds, "rounds")),
    scale: number(values.scale, "scale"),
    engines: values.engines.split(",").filter(Boolean),
    json: values.json,
    svg: values.svg,
    docs: values.docs,
  };
}
