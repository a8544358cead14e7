/**
 * Go's text/template, as far as --format needs it: fields, pipelines, if, with, range, variables, functions.
 * Parsing: text to a tree. What is not known here is an error, never ignored.
 */
import { BockerError } from "../../base/errors.ts";
import { isFunction } from "./functions.ts";
import { unquoteGo } from "./go-string.ts";

/** An argument of a pipeline's command. */
export type Term =
  | { kind: "value"; value: string | number | boolean | null }
  /** `.A.B`, `$x.A`, `$.A`: the start ("." the dot, "$" the root) and the names behind it */
  | { kind: "field"; base: string; path: string[] }
  | { kind: "function"; name: string }
  | { kind: "group"; pipeline: Pipeline; path: string[] };

/** Commands, each fed the result of the one before as its last argument. */
export interface Pipeline {
  /** `$x :=` or `$k, $v :=` */
  variables: string[];
  /** `$x =`: the variable is there already, here or around. */
  isAssignment: boolean;
  commands: Term[][];
}

export type TemplateNode =
  | { kind: "text"; text: string }
  | { kind: "print"; pipeline: Pipeline }
  /** Of the innermost range. */
  | { kind: "break" }
  | { kind: "continue" }
  | Block;

export interface Block {
  kind: "if" | "with" | "range";
  pipeline: Pipeline;
  body: TemplateNode[];
  otherwise: TemplateNode[];
}

type Token = { type: "text" | "action"; text: string };

export function templateError(message: string): BockerError {
  return new BockerError("invalid", `template parsing error: template: :1: ${message}`);
}

/** Text and actions; `{{-` and `-}}` take the white space beside them away, comments vanish. */
function split(source: string): Token[] {
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

/** The index of the "}}" that ends an action; quoted text may contain one. */
function endOfAction(source: string, start: number): number {
  for (let at = start; at < source.length; at++) {
    const c = source[at]!;
    if (c === '"' || c === "`") {
      at++;
      while (at < source.length && source[at] !== c) at += source[at] === "\\" && c === '"' ? 2 : 1;
    } else if (source.startsWith("}}", at)) return at;
  }
  throw templateError("unclosed action");
}

const WORD =
  /\s*(:=|=|,|\||\(|\)|"(?:\\.|[^"\\])*"|`[^`]*`|'(?:\\.|[^'\\])'|-?\d+(?:\.\d+)?|\$[A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*|(?:\.[A-Za-z0-9_]+)+|\.|[A-Za-z_][A-Za-z0-9_]*)/y;

function words(action: string): string[] {
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

class PipelineParser {
  readonly #words: string[];
  #at = 0;

  constructor(words: string[]) {
    this.#words = words;
  }

  all(): Pipeline {
    const pipeline = this.#pipeline();
    if (this.#at < this.#words.length) throw templateError(`unexpected ${this.#words[this.#at]} in command`);
    return pipeline;
  }

  #pipeline(): Pipeline {
    const variables: string[] = [];
    const assign = this.#words.findIndex((word, at) => at >= this.#at && (word === ":=" || word === "="));
    const isAssignment = this.#words[assign] === "=";
    if (assign > 0) {
      for (; this.#at < assign; this.#at++)
        if (this.#words[this.#at] !== ",") variables.push(this.#words[this.#at]!);
      this.#at++;
    }
    const commands: Term[][] = [[]];
    for (; this.#at < this.#words.length && this.#words[this.#at] !== ")"; this.#at++) {
      if (this.#words[this.#at] === "|") commands.push([]);
      else commands.at(-1)!.push(this.#term());
    }
    if (commands.some((command) => command.length === 0)) throw templateError("missing value for command");
    if (variables.some((name) => !/^\$[A-Za-z0-9_]+$/.test(name)) || variables.length > 2)
      throw templateError("unexpected declaration in command");
    return { variables, isAssignment, commands };
  }

  #term(): Term {
    const word = this.#words[this.#at]!;
    if (word === "(") {
      this.#at++;
      const pipeline = this.#pipeline();
      if (this.#words[this.#at] !== ")") throw templateError("unclosed left paren");
      const after = this.#words[this.#at + 1];
      const hasPath = after !== undefined && /^\.[A-Za-z]/.test(after);
      if (hasPath) this.#at++;
      return { kind: "group", pipeline, path: hasPath ? after.slice(1).split(".") : [] };
    }
    return simpleTerm(word);
  }
}

function simpleTerm(word: string): Term {
  if (word.startsWith('"')) {
    const value = unquoteGo(word);
    if (value === undefined) throw templateError("invalid syntax");
    return { kind: "value", value };
  }
  if (word.startsWith("`")) return { kind: "value", value: word.slice(1, -1) };
  if (/^-?\d/.test(word)) return { kind: "value", value: Number(word) };
  if (word === "true" || word === "false") return { kind: "value", value: word === "true" };
  if (word === "nil") return { kind: "value", value: null };
  if (word === ".") return { kind: "field", base: ".", path: [] };
  if (word.startsWith(".")) return { kind: "field", base: ".", path: word.slice(1).split(".") };
  if (word.startsWith("$")) {
    const [base = "$", ...path] = word.split(".");
    return { kind: "field", base, path };
  }
  if (isFunction(word)) return { kind: "function", name: word };
  if (/^[A-Za-z_]/.test(word)) throw templateError(`function ${JSON.stringify(word)} not defined`);
  throw templateError(`unexpected ${JSON.stringify(word)} in command`);
}

class TemplateParser {
  readonly #tokens: Token[];
  #at = 0;
  /** How many ranges are around. */
  #ranges = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  all(): TemplateNode[] {
    const { nodes, end } = this.#nodes();
    if (end !== undefined) throw templateError(`unexpected {{${end}}}`);
    return nodes;
  }

  /** Nodes up to {{end}} or {{else …}}, which is returned. */
  #nodes(): { nodes: TemplateNode[]; end: string | undefined } {
    const nodes: TemplateNode[] = [];
    while (this.#at < this.#tokens.length) {
      const { type, text } = this.#tokens[this.#at++]!;
      if (type === "text") nodes.push({ kind: "text", text });
      else {
        const [, keyword = "", rest = ""] = /^(\w+)\b\s*([\s\S]*)$/.exec(text) ?? [];
        if (keyword === "end" || keyword === "else") return { nodes, end: text };
        if (keyword === "if" || keyword === "with" || keyword === "range")
          nodes.push(this.#block(keyword, rest));
        else if (keyword === "break" || keyword === "continue") {
          if (this.#ranges === 0) throw templateError(`{{${keyword}}} outside {{range}}`);
          nodes.push({ kind: keyword });
        } else if (["template", "define", "block"].includes(keyword))
          throw new BockerError("unsupported", `{{${keyword}}} in --format is not supported yet by bocker`);
        else nodes.push({ kind: "print", pipeline: new PipelineParser(words(text)).all() });
      }
    }
    return { nodes, end: undefined };
  }

  #block(kind: "if" | "with" | "range", condition: string): TemplateNode {
    const pipeline = new PipelineParser(words(condition)).all();
    if (kind === "range") this.#ranges++;
    const { nodes: body, end } = this.#nodes();
    if (kind === "range") this.#ranges--;
    if (end === undefined) throw templateError("unexpected EOF");
    if (end === "end") return { kind, pipeline, body, otherwise: [] };
    const chained = /^else\s+(if|with)\s+([\s\S]+)$/.exec(end);
    if (chained !== null)
      return { kind, pipeline, body, otherwise: [this.#block(chained[1] as "if" | "with", chained[2]!)] };
    const { nodes: otherwise, end: last } = this.#nodes();
    if (last !== "end") throw templateError("unexpected EOF");
    return { kind, pipeline, body, otherwise };
  }
}

/** Throws BockerError "invalid" with Go's words. */
export function parseTemplate(source: string): TemplateNode[] {
  return new TemplateParser(split(source)).all();
}
