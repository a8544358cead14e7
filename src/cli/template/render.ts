/** Go's text/template: a tree and data to text. */
import { executionError } from "./errors.ts";
import { checkArguments, FUNCTIONS } from "./functions.ts";
import { goText, isTrue } from "./go-text.ts";
import { kindOf } from "./kind.ts";
import {
  type Block,
  type Pipeline,
  parseTemplate,
  type TemplateNode,
  type TemplateSet,
  type Term,
} from "./parse.ts";
import { NIL_POINTER } from "./zero.ts";

/** What a variable holds; an assignment further in changes it for all. */
interface Variable {
  value: unknown;
}

interface Scope {
  templates: TemplateSet;
  /** How many templates by name, and blocks, are around. */
  depth: number;
  dot: unknown;
  variables: ReadonlyMap<string, Variable>;
  /** Of the innermost range: how its round is to end early. */
  round: { end?: "break" | "continue" };
}

/** Go has 100000 of them; JavaScript's stack does not. */
const DEPTH_MAX = 5000;

/** A range over a number has at most so many rounds. */
const ROUNDS_MAX = 1_000_000;

/** Rows of a listing have only known fields; inspected documents are Go maps or structs all the way down. */
function field(value: unknown, name: string): unknown {
  if (value === null || value === undefined || value === NIL_POINTER)
    throw executionError(`<.${name}>: nil pointer evaluating interface {}.${name}`);
  // An object without a prototype is a Go map: what it lacks is no error.
  if (Object.getPrototypeOf(value) === null) return (value as Record<string, unknown>)[name];
  if (typeof value !== "object" || Array.isArray(value) || !Object.hasOwn(value, name))
    throw executionError(`<.${name}>: can't evaluate field ${name}`);
  return (value as Record<string, unknown>)[name];
}

function walk(value: unknown, path: string[]): unknown {
  return path.reduce(field, value);
}

function termValue(term: Term, scope: Scope): unknown {
  if (term.kind === "value") return term.value;
  if (term.kind === "group") return walk(pipelineValue(term.pipeline, scope).value, term.path);
  if (term.kind === "function") return call(term.name, []);
  if (term.base === ".") return walk(scope.dot, term.path);
  return walk(variable(term.base, scope).value, term.path);
}

function variable(name: string, { variables }: Scope): Variable {
  const found = variables.get(name);
  if (found === undefined) throw executionError(`undefined variable ${JSON.stringify(name)}`);
  return found;
}

function call(name: string, values: unknown[]): unknown {
  checkArguments(name, values);
  return FUNCTIONS[name]!(...(values as never[]));
}

/** A value, or what a method of the data makes of its arguments: `.Label "key"`. */
function called(value: unknown, values: unknown[]): unknown {
  if (typeof value !== "function") {
    if (values.length > 0) throw executionError("can't give argument to non-function");
    return value;
  }
  if (value.length !== values.length)
    throw executionError(`<method>: wrong number of args: want ${value.length} got ${values.length}`);
  return value(...values);
}

/** Whether a value of `and` or `or` is the result, whatever follows. */
const isDecided = (name: string, value: unknown) =>
  (name === "and" && !isTrue(value)) || (name === "or" && isTrue(value));

function pipelineValue(pipeline: Pipeline, scope: Scope): { value: unknown } {
  let value: unknown;
  pipeline.commands.forEach((command, position) => {
    const [first, ...rest] = command as [Term, ...Term[]];
    const values: unknown[] = [];
    for (const term of rest) {
      values.push(called(termValue(term, scope), []));
      // What `and` and `or` need not know is not asked for: it may be an error.
      if (first.kind === "function" && isDecided(first.name, values.at(-1))) break;
    }
    if (position > 0 && values.length === rest.length) values.push(value);
    value = first.kind === "function" ? call(first.name, values) : called(termValue(first, scope), values);
  });
  return { value };
}

/** The variables with those that a pipeline declares; what it assigns to is there already. */
function withVariables(scope: Scope, pipeline: Pipeline, values: unknown[]): ReadonlyMap<string, Variable> {
  const names = pipeline.variables;
  // `range $v :=` sets the element, `range $k, $v :=` both.
  const used = names.length === 1 ? values.slice(-1) : values;
  if (pipeline.isAssignment) {
    names.forEach((name, position) => {
      variable(name, scope).value = used[position];
    });
    return scope.variables;
  }
  const variables = new Map(scope.variables);
  names.forEach((name, position) => {
    variables.set(name, { value: used[position] });
  });
  return variables;
}

function entriesOf(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return value.map((item, position) => [position, item]);
  if (typeof value === "number" && Number.isInteger(value) && value <= ROUNDS_MAX)
    return Array.from({ length: Math.max(0, value) }, (_, at) => [at, at]);
  if (value === null || value === undefined || value === NIL_POINTER) return [];
  if (kindOf(value) !== "map") throw executionError(`<range>: range can't iterate over ${goText(value)}`);
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

function range(node: Block, scope: Scope): string {
  const entries = entriesOf(pipelineValue(node.pipeline, scope).value);
  if (entries.length === 0) return renderNodes(node.otherwise, scope);
  let text = "";
  for (const [key, item] of entries) {
    const round: Scope["round"] = {};
    text += renderNodes(node.body, {
      ...scope,
      dot: item,
      variables: withVariables(scope, node.pipeline, [key, item]),
      round,
    });
    if (round.end === "break") break;
  }
  return text;
}

/** A template by its name, which sees nothing but what it is given. */
function renderTemplate(name: string, dot: unknown, { templates, depth }: Scope): string {
  const nodes = templates.get(name);
  const at = `<{{template ${JSON.stringify(name)}}}>`;
  if (nodes === undefined) throw executionError(`${at}: template ${JSON.stringify(name)} not defined`);
  if (depth > DEPTH_MAX) throw executionError(`${at}: exceeded maximum template depth (${DEPTH_MAX})`);
  const variables = new Map([["$", { value: dot }]]);
  return renderNodes(nodes, { templates, depth, dot, variables, round: {} });
}

function renderNode(node: Exclude<TemplateNode, { kind: "print" | "template" }>, scope: Scope): string {
  if (node.kind === "text") return node.text;
  if (node.kind === "break" || node.kind === "continue") {
    scope.round.end = node.kind;
    return "";
  }
  if (node.kind === "range") return range(node, scope);
  const { value } = pipelineValue(node.pipeline, scope);
  if (!isTrue(value)) return renderNodes(node.otherwise, scope);
  const variables = withVariables(scope, node.pipeline, [value]);
  return renderNodes(node.body, { ...scope, dot: node.kind === "with" ? value : scope.dot, variables });
}

function renderNodes(nodes: readonly TemplateNode[], scope: Scope): string {
  let current = { ...scope, depth: scope.depth + 1 };
  let text = "";
  for (const node of nodes) {
    if (node.kind !== "print" && node.kind !== "template") text += renderNode(node, current);
    else {
      const { pipeline } = node;
      const value = pipeline === undefined ? undefined : pipelineValue(pipeline, current).value;
      // What an action declares, a {{template}}'s too, is there for those behind it.
      const isDeclaration = pipeline !== undefined && pipeline.variables.length > 0;
      if (isDeclaration) current = { ...current, variables: withVariables(current, pipeline, [value]) };
      if (node.kind === "template") text += renderTemplate(node.name, value, current);
      else if (!isDeclaration) text += goText(value);
    }
    if (scope.round.end !== undefined) break;
  }
  return text;
}

/** A template, ready to be given data any number of times. Throws "invalid" with Go's words. */
export function compileTemplate(source: string): (data: unknown) => string {
  const templates = parseTemplate(source);
  const nodes = templates.get("")!;
  return (data) => {
    const variables = new Map([["$", { value: data }]]);
    return renderNodes(nodes, { templates, depth: 0, dot: data, variables, round: {} });
  };
}
