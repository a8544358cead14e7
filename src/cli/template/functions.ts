/** The functions of --format: Go's own and Docker's (docker/cli templates/templates.go). */
import { BockerError } from "../../base/errors.ts";
import { visibleJson } from "../../base/visible-json.ts";
import { goText, isTrue } from "./go-text.ts";
import { printf, WIDTH_MAX } from "./printf.ts";
import { isNil } from "./zero.ts";

export function executionError(message: string): BockerError {
  return new BockerError("invalid", `template: :1: executing "" at ${message}`);
}

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
      if (typeof key !== "number" || !Number.isInteger(key) || key < 0 || key >= current.length)
        throw executionError(`<index>: error calling index: index out of range: ${goText(key)}`);
      current = current[key];
    } else if (typeof current !== "object")
      throw executionError(`<index>: error calling index: can't index item of type ${typeof current}`);
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
    throw executionError(`<slice>: error calling slice: can't slice item of type ${typeof value}`);
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

function compare(a: unknown, b: unknown): number {
  const isObject = (value: unknown) => typeof value === "object" && value !== null;
  const isNone = (value: unknown) => value === null || value === undefined;
  const differ = typeof a !== typeof b && !isNone(a) && !isNone(b);
  if (isObject(a) || isObject(b) || differ)
    throw executionError("<compare>: error calling compare: incompatible types for comparison");
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [first, second] = [String(a), String(b)];
  return first < second ? -1 : first === second ? 0 : 1;
}

function length(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (value !== null && typeof value === "object") return Object.keys(value).length;
  throw executionError(`<len>: error calling len: len of type ${typeof value}`);
}

function pad(text: string, before: number, after: number): string {
  if (![before, after].every((count) => Number.isInteger(count) && count >= 0 && count <= WIDTH_MAX))
    throw executionError(`<pad>: error calling pad: ${before} and ${after} are no widths`);
  return " ".repeat(before) + text + " ".repeat(after);
}

/** What the functions of FUNCTIONS that take certain values only take; a list may be missing. */
const SIGNATURES: Record<string, readonly ("string" | "number" | "list")[]> = {
  upper: ["string"],
  lower: ["string"],
  title: ["string"],
  trim: ["string"],
  split: ["string", "string"],
  join: ["list", "string"],
  pad: ["string", "number", "number"],
  truncate: ["string", "number"],
};

function isA(kind: "string" | "number" | "list", value: unknown): boolean {
  return kind === "list"
    ? Array.isArray(value) || value === null || value === undefined
    : typeof value === kind;
}

/** Throws "invalid" for arguments that the function does not take. */
export function checkArguments(name: string, values: readonly unknown[]): void {
  const signature = Object.hasOwn(SIGNATURES, name) ? SIGNATURES[name] : undefined;
  if (signature === undefined) return;
  if (signature.length !== values.length)
    throw executionError(
      `<${name}>: wrong number of args for ${name}: want ${signature.length} got ${values.length}`,
    );
  signature.forEach((kind, position) => {
    if (!isA(kind, values[position]))
      throw executionError(
        `<${name}>: wrong type for value; expected ${kind}; got ${typeof values[position]}`,
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
  eq: (a: unknown, ...others: unknown[]) => others.some((b) => compare(a, b) === 0),
  ne: (a: unknown, b: unknown) => compare(a, b) !== 0,
  lt: (a: unknown, b: unknown) => compare(a, b) < 0,
  le: (a: unknown, b: unknown) => compare(a, b) <= 0,
  gt: (a: unknown, b: unknown) => compare(a, b) > 0,
  ge: (a: unknown, b: unknown) => compare(a, b) >= 0,
  and: (...values: unknown[]) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values: unknown[]) => values.find(isTrue) ?? values.at(-1),
};
