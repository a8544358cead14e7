/** Prints what a template makes of a value. */
import { isTerminal } from "../../os/terminal.ts";
import { print, visible } from "../output.ts";

/** Exact for programs; a person's terminal gets line breaks and tabs, and every other control character as text. */
export function printRendered(text: string): void {
  print(isTerminal(1) ? text.replace(/[^\n\t]+/g, visible) : text);
}
