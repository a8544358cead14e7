/**
 * Go's text/template, as far as --format needs it: fields, pipelines, if, with, range, variables, functions, templates by name.
 * Parsing: text to a tree. What is not known here is an error, never ignored.
 */
import { templateError } from "./errors.ts";
import { isFunction } from "./functions.ts";
import { unquoteGo } from "./go-string.ts";
import type { WholeFloat } from "./kind.ts";
import { type Token, tokensOf, wordsOf } from "./lex.ts";
import { characterLiteral, numberLiteral } from "./literal.ts";

/** An argument of a pipeline's command. */
export type Term =
  | { kind: "value"; value: string | number | WholeFloat | boolean | null }
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
  /** Another template, given what the pipeline makes, or nil. */
  | { kind: "template"; name: string; pipeline: Pipeline | undefined }
  | Block;

/** Templates by name; the whole text is the one without. */
export type TemplateSet = ReadonlyMap<string, readonly TemplateNode[]>;

export interface Block {
  kind: "if" | "with" | "range";
  pipeline: Pipeline;
  body: TemplateNode[];
  otherwise: TemplateNode[];
}

/** Deeper ones would overflow the stack of whoever reads them. */
const NESTING_MAX = 1000;

class PipelineParser {
  readonly #words: readonly string[];
  /** What the pipeline is for: "command", "if", "block clause". */
  readonly #context: string;
  #at = 0;
  #depth = 0;

  constructor(words: readonly string[], context: string) {
    this.#words = words;
    this.#context = context;
  }

  all(): Pipeline {
    const pipeline = this.#pipeline();
    if (this.#at < this.#words.length)
      throw templateError(`unexpected ${this.#words[this.#at]} in ${this.#context}`);
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
    if (commands.some((command) => command.length === 0))
      throw templateError(`missing value for ${this.#depth > 0 ? "parenthesized pipeline" : this.#context}`);
    if (variables.some((name) => !/^\$[A-Za-z0-9_]+$/.test(name)) || variables.length > 2)
      throw templateError("unexpected declaration in command");
    return { variables, isAssignment, commands };
  }

  #term(): Term {
    const word = this.#words[this.#at]!;
    if (word === "(") {
      this.#at++;
      if (++this.#depth > NESTING_MAX) throw templateError("max expression depth exceeded");
      const pipeline = this.#pipeline();
      this.#depth--;
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
  if (word.startsWith("'")) return { kind: "value", value: characterLiteral(word) };
  if (/^[+-]?\.?\d/.test(word)) return { kind: "value", value: numberLiteral(word) };
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

/** The name that `template`, `define` or `block` begins with, and the words behind it. */
function templateName(text: string, context: string): { name: string; words: string[] } {
  const [first, ...words] = wordsOf(text);
  const name = first === undefined || !/^["`]/.test(first) ? undefined : simpleTerm(first);
  if (name?.kind !== "value")
    throw templateError(`unexpected ${JSON.stringify(first ?? "}}")} in ${context}`);
  return { name: String(name.value), words };
}

/** One without any text of its own gives way to another of the same name. */
const isBlank = (nodes: readonly TemplateNode[]) =>
  nodes.every((node) => node.kind === "text" && node.text.trim() === "");

class TemplateParser {
  readonly #tokens: readonly Token[];
  readonly #templates = new Map<string, readonly TemplateNode[]>();
  #at = 0;
  /** How many ranges are around, and how many blocks of any kind. */
  #ranges = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  all(): TemplateSet {
    const { nodes, end } = this.#nodes();
    if (end !== undefined) throw templateError(`unexpected {{${end}}}`);
    this.#add("", nodes);
    return this.#templates;
  }

  #add(name: string, nodes: readonly TemplateNode[]): void {
    const before = this.#templates.get(name);
    if (before === undefined || isBlank(before)) this.#templates.set(name, nodes);
    else if (!isBlank(nodes))
      throw templateError(`template: multiple definition of template ${JSON.stringify(name)}`);
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
        if (keyword === "define" && this.#depth === 0) this.#define(rest);
        else nodes.push(this.#action(keyword, rest) ?? { kind: "print", pipeline: commandOf(text) });
      }
    }
    return { nodes, end: undefined };
  }

  /** undefined where it begins with no keyword. */
  #action(keyword: string, rest: string): TemplateNode | undefined {
    switch (keyword) {
      case "if":
      case "with":
      case "range":
        return this.#nested(() => this.#block(keyword, rest));
      case "break":
      case "continue":
        if (this.#ranges === 0) throw templateError(`{{${keyword}}} outside {{range}}`);
        return { kind: keyword };
      case "template": {
        const { name, words } = templateName(rest, "template clause");
        const pipeline = words.length === 0 ? undefined : new PipelineParser(words, "template clause").all();
        return { kind: keyword, name, pipeline };
      }
      case "block": {
        const { name, words } = templateName(rest, "block clause");
        const pipeline = new PipelineParser(words, "block clause").all();
        this.#definition(name, "block clause");
        return { kind: "template", name, pipeline };
      }
      case "define":
        throw templateError("unexpected <define> in command");
      default:
        return undefined;
    }
  }

  #define(rest: string): void {
    const { name, words } = templateName(rest, "define clause");
    if (words.length > 0) throw templateError(`unexpected ${JSON.stringify(words[0])} in define clause`);
    this.#definition(name, "define clause");
  }

  /** The body of a template with a name: what is around it is not around it when it is used. */
  #definition(name: string, context: string): void {
    const ranges = this.#ranges;
    this.#ranges = 0;
    const { nodes, end } = this.#nested(() => this.#body());
    this.#ranges = ranges;
    if (end !== "end") throw templateError(`unexpected {{${end}}} in ${context}`);
    this.#add(name, nodes);
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > NESTING_MAX) throw templateError("max block depth exceeded");
    const result = read();
    this.#depth--;
    return result;
  }

  #body(): { nodes: TemplateNode[]; end: string } {
    const { nodes, end } = this.#nodes();
    if (end === undefined) throw templateError("unexpected EOF");
    return { nodes, end };
  }

  #block(kind: "if" | "with" | "range", condition: string): TemplateNode {
    const pipeline = new PipelineParser(wordsOf(condition), kind).all();
    if (kind === "range") this.#ranges++;
    const { nodes: body, end } = this.#body();
    if (kind === "range") this.#ranges--;
    if (end === "end") return { kind, pipeline, body, otherwise: [] };
    const chained = /^else\s+(if|with)\s+([\s\S]+)$/.exec(end);
    if (chained !== null)
      return {
        kind,
        pipeline,
        body,
        otherwise: [this.#nested(() => this.#block(chained[1] as "if" | "with", chained[2]!))],
      };
    const { nodes: otherwise, end: last } = this.#body();
    if (last !== "end") throw templateError("unexpected EOF");
    return { kind, pipeline, body, otherwise };
  }
}

const commandOf = (text: string): Pipeline => new PipelineParser(wordsOf(text), "command").all();

/** Throws BockerError "invalid" with Go's words. */
export function parseTemplate(source: string): TemplateSet {
  return new TemplateParser(tokensOf(source)).all();
}
