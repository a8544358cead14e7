/** The functions of --format: Go's own and Docker's (docker/cli templates/templates.go). */
import { visibleJson } from "../../base/visible-json.ts";
import { eq, ge, gt, le, lt, ne } from "./compare.ts";
import { executionError } from "./errors.ts";
import { goText, isTrue } from "./go-text.ts";
import { kindOf, typeName } from "./kind.ts";
import { printf, WIDTH_MAX } from "./printf.ts";
import { isNil } from "./zero.ts";

/** Go's encoding/json as Docker uses it: no HTML escapes. */
function json(value: unknown): string {
  return visibleJson(value ?? null, undefined, (_, part) => (isNil(part) ? null : part));
}

function index(value: unknown, ...keys: unknown[]): unknown {
  let current = value;
  for (const key of keys) {
    if (current === null || current === undefined) throw executionError("<index>: index of nil value");
    if (typeof current === "string") current = [...Buffer.from(current)];
    if (Array.isArray(current)) {
      if (kindOf(key) !== "int")
        throw executionError(
          `<index>: error calling index: cannot index slice/array with type ${typeName(key)}`,
        );
      if (Number(key) < 0 || Number(key) >= current.length)
        throw executionError(`<index>: error calling index: index out of range: ${key}`);
      current = current[Number(key)];
    } else if (kindOf(current) !== "map")
      throw executionError(`<index>: error calling index: can't index item of type ${typeName(current)}`);
    else
      current = Object.hasOwn(current as object, goText(key))
        ? (current as Record<string, unknown>)[goText(key)]
        : "";
  }
  return current;
}

/** A part of a string, by bytes, or of a list: `slice x 1 3` is x[1:3]. */
function slice(value: unknown, ...indexes: unknown[]): unknown {
  const isText = typeof value === "string";
  if (!isText && !Array.isArray(value))
    throw executionError(`<slice>: error calling slice: can't slice item of type ${typeName(value)}`);
  const whole = isText ? Buffer.from(value) : value;
  if (indexes.length > 2)
    throw executionError(`<slice>: error calling slice: too many slice indexes: ${indexes.length}`);
  const [from = 0, to = whole.length] = indexes;
  for (const at of [from, to])
    if (typeof at !== "number" || !Number.isInteger(at) || at < 0 || at > whole.length)
      throw executionError(`<slice>: error calling slice: index out of range: ${goText(at)}`);
  if (Number(from) > Number(to))
    throw executionError(`<slice>: error calling slice: invalid slice index: ${from} > ${to}`);
  const part = whole.slice(Number(from), Number(to));
  return isText ? part.toString() : part;
}

const HTML: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
  "\0": "\uFFFD",
};

/** Several values are joined as print joins them. */
const printed = (values: unknown[]) => values.map(goText).join("");

const html = (...values: unknown[]) =>
  printed(values).replace(/[&<>"'\0]/g, (character) => HTML[character] ?? "");

/** template.JSEscapeString */
const js = (...values: unknown[]) =>
  printed(values).replace(/["'\\<>&=\p{Cc}]/gu, (character) =>
    "\"'\\".includes(character)
      ? `\\${character}`
      : `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`,
  );

/** url.QueryEscape */
const urlquery = (...values: unknown[]) =>
  encodeURIComponent(printed(values).toWellFormed())
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%20/g, "+");

function length(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (["slice", "map"].includes(kindOf(value))) return Object.keys(value as object).length;
  throw executionError(`<len>: error calling len: len of type ${typeName(value)}`);
}

function pad(text: string, before: number, after: number): string {
  if (![before, after].every((count) => Number.isInteger(count) && count >= 0 && count <= WIDTH_MAX))
    throw executionError(`<pad>: error calling pad: ${before} and ${after} are no widths`);
  return " ".repeat(before) + text + " ".repeat(after);
}

type Taken = "string" | "int" | "list" | "any";

/** What the functions of FUNCTIONS that take certain values only take; a list may be missing. */
const SIGNATURES: Record<string, readonly Taken[]> = {
  upper: ["string"],
  lower: ["string"],
  title: ["string"],
  trim: ["string"],
  split: ["string", "string"],
  join: ["list", "string"],
  pad: ["string", "int", "int"],
  truncate: ["string", "int"],
  not: ["any"],
  ne: ["any", "any"],
  lt: ["any", "any"],
  le: ["any", "any"],
  gt: ["any", "any"],
  ge: ["any", "any"],
};

function isA(taken: Taken, value: unknown): boolean {
  const kind = kindOf(value);
  if (taken === "list") return kind === "slice" || kind === "nil";
  return taken === "any" || kind === taken;
}

/** Throws "invalid" for arguments that the function does not take. */
export function checkArguments(name: string, values: readonly unknown[]): void {
  const signature = Object.hasOwn(SIGNATURES, name) ? SIGNATURES[name] : undefined;
  if (signature === undefined) return;
  if (signature.length !== values.length)
    throw executionError(
      `<${name}>: wrong number of args for ${name}: want ${signature.length} got ${values.length}`,
    );
  signature.forEach((taken, position) => {
    if (!isA(taken, values[position]))
      throw executionError(
        `<${name}>: wrong type for value; expected ${taken}; got ${typeName(values[position])}`,
      );
  });
}

/** Whether a template may call it. */
export const isFunction = (name: string): boolean => Object.hasOwn(FUNCTIONS, name);

export const FUNCTIONS: Record<string, (...values: never[]) => unknown> = {
  json,
  index,
  slice,
  html,
  js,
  urlquery,
  len: length,
  upper: (text: string) => text.toUpperCase(),
  lower: (text: string) => text.toLowerCase(),
  title: (text: string) => text.replace(/\b[a-z]/g, (letter) => letter.toUpperCase()),
  trim: (text: string) => text.trim(),
  split: (text: string, separator: string) => text.split(separator),
  join: (list: unknown[], separator: string) => (list ?? []).map(goText).join(separator),
  pad,
  truncate: (text: string, size: number) => text.slice(0, size),
  println: (...values: unknown[]) => `${values.map(goText).join(" ")}\n`,
  print: (...values: unknown[]) => printed(values),
  printf,
  not: (value: unknown) => !isTrue(value),
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  and: (...values: unknown[]) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values: unknown[]) => values.find(isTrue) ?? values.at(-1),
};
