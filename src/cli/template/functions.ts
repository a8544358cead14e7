/** The functions of --format: Go's own and Docker's (docker/cli templates/templates.go). */
import { BockerError } from "../../base/errors.ts";

export function executionError(message: string): BockerError {
  return new BockerError("invalid", `template: :1: executing "" at ${message}`);
}

/** Go's truth: empty things are false. */
export function isTrue(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === "") return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

/** As Go's fmt prints values with %v. */
export function goText(value: unknown): string {
  if (value === undefined || value === null) return "<no value>";
  if (Array.isArray(value))
    return `[${value.map((item) => (item === null ? "<nil>" : goText(item))).join(" ")}]`;
  if (typeof value === "object") {
    const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${pairs.map(([key, item]) => `${key}:${item === null ? "<nil>" : goText(item)}`).join(" ")}]`;
  }
  return String(value);
}

/** Go's encoding/json as Docker uses it: no HTML escapes. */
function json(value: unknown): string {
  return JSON.stringify(value ?? null);
}

function index(value: unknown, ...keys: unknown[]): unknown {
  let current = value;
  for (const key of keys) {
    if (current === null || current === undefined) throw executionError("<index>: index of nil value");
    if (Array.isArray(current)) {
      if (typeof key !== "number" || key < 0 || key >= current.length)
        throw executionError(`<index>: error calling index: index out of range: ${goText(key)}`);
      current = current[key];
    } else
      current = Object.hasOwn(current as object, String(key))
        ? (current as Record<string, unknown>)[String(key)]
        : "";
  }
  return current;
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : String(a) === String(b) ? 0 : 1;
}

function length(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (value !== null && typeof value === "object") return Object.keys(value).length;
  throw executionError(`<len>: error calling len: len of type ${typeof value}`);
}

function printf(format: unknown, ...values: unknown[]): string {
  let next = 0;
  return String(format).replace(
    /%([-0]?)(\d*)(?:\.(\d+))?([vsdqtf%])/g,
    (_, pad: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === "%") return "%";
      const value = values[next++];
      let text = verb === "q" ? JSON.stringify(String(value)) : goText(value);
      if (verb === "f") text = Number(value).toFixed(precision === undefined ? 6 : Number(precision));
      else if (precision !== undefined && verb === "s") text = text.slice(0, Number(precision));
      const size = Number(width || 0);
      return pad === "-" ? text.padEnd(size) : text.padStart(size, pad === "0" ? "0" : " ");
    },
  );
}

export const FUNCTIONS: Record<string, (...values: never[]) => unknown> = {
  json,
  index,
  len: length,
  upper: (text: string) => text.toUpperCase(),
  lower: (text: string) => text.toLowerCase(),
  title: (text: string) => text.replace(/\b[a-z]/g, (letter) => letter.toUpperCase()),
  trim: (text: string) => text.trim(),
  split: (text: string, separator: string) => text.split(separator),
  join: (list: unknown[], separator: string) => (list ?? []).map(goText).join(separator),
  pad: (text: string, before: number, after: number) => " ".repeat(before) + text + " ".repeat(after),
  truncate: (text: string, size: number) => text.slice(0, size),
  println: (...values: unknown[]) => `${values.map(goText).join(" ")}\n`,
  print: (...values: unknown[]) => values.map(goText).join(""),
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
