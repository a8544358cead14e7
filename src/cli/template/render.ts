/** Go's text/template: a tree and data to text. */
import { executionError, FUNCTIONS, goText, isTrue } from "./functions.ts";
import { type Block, type Pipeline, parseTemplate, type TemplateNode, type Term } from "./parse.ts";

interface Scope {
  dot: unknown;
  variables: ReadonlyMap<string, unknown>;
}

/** Rows of a listing have only known fields; inspected documents are Go maps or structs all the way down. */
function field(value: unknown, name: string): unknown {
  if (value === null || value === undefined)
    throw executionError(`<.${name}>: nil pointer evaluating interface {}.${name}`);
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
  if (!scope.variables.has(term.base))
    throw executionError(`undefined variable ${JSON.stringify(term.base)}`);
  return walk(scope.variables.get(term.base), term.path);
}

function call(name: string, values: unknown[]): unknown {
  const action = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (action === undefined) throw executionError(`function ${JSON.stringify(name)} not defined`);
  return action(...(values as never[]));
}

function pipelineValue(pipeline: Pipeline, scope: Scope): { value: unknown } {
  let value: unknown;
  pipeline.commands.forEach((command, position) => {
    const [first, ...rest] = command as [Term, ...Term[]];
    const piped = position === 0 ? [] : [value];
    const values = rest.map((term) => termValue(term, scope));
    if (first.kind === "function") value = call(first.name, [...values, ...piped]);
    else if (values.length + piped.length > 0) throw executionError("can't give argument to non-function");
    else value = termValue(first, scope);
  });
  return { value };
}

function withVariables(scope: Scope, names: string[], values: unknown[]): ReadonlyMap<string, unknown> {
  const variables = new Map(scope.variables);
  // `range $v :=` sets the element, `range $k, $v :=` both.
  const used = names.length === 1 ? values.slice(-1) : values;
  names.forEach((name, position) => {
    variables.set(name, used[position]);
  });
  return variables;
}

function range(node: Block, scope: Scope): string {
  const { value } = pipelineValue(node.pipeline, scope);
  const entries: [unknown, unknown][] = Array.isArray(value)
    ? value.map((item, position): [unknown, unknown] => [position, item])
    : value !== null && typeof value === "object"
      ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
      : [];
  if (entries.length === 0) return renderNodes(node.otherwise, scope);
  return entries
    .map(([key, item]) =>
      renderNodes(node.body, {
        dot: item,
        variables: withVariables(scope, node.pipeline.variables, [key, item]),
      }),
    )
    .join("");
}

function renderNode(node: TemplateNode, scope: Scope): string {
  if (node.kind === "text") return node.text;
  if (node.kind === "range") return range(node, scope);
  const { value } = pipelineValue(node.pipeline, scope);
  if (node.kind === "print") return node.pipeline.variables.length > 0 ? "" : goText(value);
  if (!isTrue(value)) return renderNodes(node.otherwise, scope);
  const variables = withVariables(scope, node.pipeline.variables, [value]);
  return renderNodes(node.body, { dot: node.kind === "with" ? value : scope.dot, variables });
}

function renderNodes(nodes: TemplateNode[], scope: Scope): string {
  let current = scope;
  let text = "";
  for (const node of nodes) {
    text += renderNode(node, current);
    if (node.kind === "print" && node.pipeline.variables.length > 0)
      current = {
        dot: scope.dot,
        variables: withVariables(current, node.pipeline.variables, [
          pipelineValue(node.pipeline, current).value,
        ]),
      };
  }
  return text;
}

/** A template, ready to be given data any number of times. Throws "invalid" with Go's words. */
export function compileTemplate(source: string): (data: unknown) => string {
  const nodes = parseTemplate(source);
  return (data) => renderNodes(nodes, { dot: data, variables: new Map([["$", data]]) });
}
