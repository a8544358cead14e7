/** Lines of a script, each group of them below a comment that says what it does and why. */
import { comment } from "./words.ts";

export class ScriptWriter {
  readonly lines: string[] = [];
  readonly #reasons = new Set<string>();

  add(...lines: string[]): void {
    this.lines.push(...lines);
  }

  /** A reason is given once. */
  explained(step: { what: string; why: string }, lines: string[], note?: string): void {
    this.add("", comment(step.what));
    if (!this.#reasons.has(step.why)) this.add(comment(`  ${step.why}`));
    this.#reasons.add(step.why);
    if (note !== undefined) this.add(comment(`  Not here: ${note}`));
    this.add(...lines);
  }
}
