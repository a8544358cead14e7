/** Prints what would be done: --explain, --explain=json, --explain=sh. */
import { BockerError } from "../base/errors.ts";
import { isTerminal, windowSize } from "../os/terminal.ts";
import type { Explanation } from "../runtime/explain/explanation.ts";
import { print } from "./output.ts";

const DEFAULT_WIDTH = 100;
const MAX_WIDTH = 120;

function terminalWidth(): number {
  const columns = isTerminal(1) ? windowSize(1).columns : 0;
  return columns === 0 ? DEFAULT_WIDTH : Math.min(columns, MAX_WIDTH);
}

/** Throws "usage" for a format that there is none of, before anything is looked at. */
export function checkExplainFormat(format: string): void {
  if (!["", "text", "json", "sh"].includes(format))
    throw new BockerError("usage", `invalid argument "${format}" for "--explain" flag: text, json or sh`);
}

/** Prints the explanation in the flag's format; returns the exit code. */
export async function printExplanation(format: string, explanation: Explanation): Promise<number> {
  // Loaded only here: no run is slower for being explainable.
  if (format === "json") {
    const { explainJson } = await import("../runtime/explain/json.ts");
    print(explainJson(explanation));
  } else if (format === "sh") {
    const { explainShell } = await import("../runtime/explain/shell/script.ts");
    print(explainShell(explanation));
  } else {
    const { explainText } = await import("../runtime/explain/text.ts");
    const colour = isTerminal(1) && (process.env["NO_COLOR"] ?? "") === "";
    print(explainText(explanation, { colour, width: terminalWidth() }));
  }
  return 0;
}
