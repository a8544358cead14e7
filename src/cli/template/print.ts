/** Prints what a template makes of a value. */
import { isTerminal } from "../../os/terminal.ts";
import { visible, writeFully } from "../output.ts";

/** Exact for programs; a person's terminal gets line breaks and tabs, and every other control character as text. */
export function writeRendered(text: string): void {
  writeFully(1, isTerminal(1) ? text.replace(/[^\n\t]+/g, visible) : text);
}

/** The same, as a line. */
export function printRendered(text: string): void {
  writeRendered(`${text}\n`);
}
