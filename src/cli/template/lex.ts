/** A template's text, its actions, and the words of an action. */
import { templateError } from "./errors.ts";

export type Token = { type: "text" | "action"; text: string };

/** Text and actions; `{{-` and `-}}` take the white space beside them away, comments vanish. */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trim = false;
  while (at < source.length) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open < 0 ? source.length : open);
    if (trim) text = text.trimStart();
    if (open < 0) {
      tokens.push({ type: "text", text });
      break;
    }
    const close = endOfAction(source, open + 2);
    let action = source.slice(open + 2, close);
    if (/^-\s/.test(action)) {
      text = text.trimEnd();
      action = action.slice(1);
    }
    trim = /\s-$/.test(action);
    if (trim) action = action.slice(0, -1);
    if (text !== "") tokens.push({ type: "text", text });
    if (!/^\s*\/\*[\s\S]*\*\/\s*$/.test(action)) tokens.push({ type: "action", text: action.trim() });
    at = close + 2;
  }
  return tokens;
}

const COMMENT = /(?:-\s+)?\s*\/\*/y;
const UNTERMINATED: Record<string, string> = {
  '"': "unterminated quoted string",
  "`": "unterminated raw quoted string",
  "'": "unterminated character constant",
};

/** The index behind the quotation that begins at `start`. */
function endOfQuotation(source: string, start: number): number {
  const quote = source[start]!;
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === quote) return at + 1;
    if (quote !== "`" && source[at] === "\\") at++;
  }
  throw templateError(UNTERMINATED[quote]!);
}

/** The index of the "}}" that ends an action; quotations and comments may contain one. */
function endOfAction(source: string, start: number): number {
  COMMENT.lastIndex = start;
  if (COMMENT.test(source)) {
    const end = source.indexOf("*/", COMMENT.lastIndex);
    if (end < 0) throw templateError("unclosed comment");
    return closing(source, end + 2);
  }
  return closing(source, start);
}

function closing(source: string, start: number): number {
  for (let at = start; at < source.length; ) {
    if (Object.hasOwn(UNTERMINATED, source[at]!)) at = endOfQuotation(source, at);
    else if (source.startsWith("}}", at)) return at;
    else at++;
  }
  throw templateError("unclosed action");
}

const WORD =
  /\s*(:=|=|,|\||\(|\)|"(?:\\.|[^"\\])*"|`[^`]*`|'(?:\\.|[^'\\])*'|[+-]?\.?\d(?:[eEpP][+-]|[\w.])*|\$[A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*|(?:\.[A-Za-z0-9_]+)+|\.|[A-Za-z_][A-Za-z0-9_]*)/y;

/** The words of an action; a name with the fields behind it is one. */
export function wordsOf(action: string): string[] {
  const found: string[] = [];
  WORD.lastIndex = 0;
  while (WORD.lastIndex < action.length) {
    const from = WORD.lastIndex;
    const match = WORD.exec(action);
    if (match === null) {
      const rest = action.slice(from).trim();
      if (rest === "") break;
      throw templateError(`unexpected ${JSON.stringify(rest[0])} in operand`);
    }
    found.push(match[1]!);
  }
  return found;
}
