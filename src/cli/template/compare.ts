/** `eq`, `lt` and the others: basic values of one kind, as Go compares them (text/template/funcs.go). */
import { executionError } from "./errors.ts";
import { goText } from "./go-text.ts";
import { kindOf, typeName } from "./kind.ts";
import { isNil } from "./zero.ts";

const refusal = (name: string, message: string) =>
  executionError(`<${name}>: error calling ${name}: ${message}`);

const isBasic = (value: unknown) => !["nil", "slice", "map"].includes(kindOf(value));
const isNothing = (value: unknown) => value === null || value === undefined;
const isEmpty = (value: unknown) => isNothing(value) || isNil(value);

/** One value against another. Nothing is equal to nil and to nothing else. */
function isEqual(name: string, first: unknown, second: unknown): boolean {
  if (isBasic(first) || isBasic(second)) {
    if (isNothing(first) || isNothing(second)) return false;
    if (kindOf(first) !== kindOf(second)) throw refusal(name, "incompatible types for comparison");
    return (first as number).valueOf() === (second as number).valueOf();
  }
  const isComparable = isNothing(first) || isNothing(second) || kindOf(first) === kindOf(second);
  if (isComparable && (isEmpty(first) || isEmpty(second))) return isEmpty(first) === isEmpty(second);
  const named = [second, first].map((value) => `${goText(value)}: ${typeName(value)}`);
  if (isComparable) throw refusal(name, `non-comparable type ${named[0]}`);
  throw refusal(name, `non-comparable types ${named[1]}, ${named[0]}`);
}

function isLess(name: string, first: unknown, second: unknown): boolean {
  if (!isBasic(first) || !isBasic(second)) throw refusal(name, "invalid type for comparison");
  if (kindOf(first) !== kindOf(second)) throw refusal(name, "incompatible types for comparison");
  if (typeof first === "boolean") throw refusal(name, "invalid type for comparison");
  // Go compares bytes, not UTF-16.
  if (typeof first === "string") return Buffer.compare(Buffer.from(first), Buffer.from(second as string)) < 0;
  return (first as number) < (second as number);
}

/** Whether the first is equal to any of the others. */
export function eq(first: unknown, ...others: unknown[]): boolean {
  if (others.length === 0) throw refusal("eq", "missing argument for comparison");
  return others.some((other) => isEqual("eq", first, other));
}

export const ne = (first: unknown, second: unknown) => !isEqual("ne", first, second);
export const lt = (first: unknown, second: unknown) => isLess("lt", first, second);
export const le = (first: unknown, second: unknown) => !isGreater("le", first, second);
export const gt = (first: unknown, second: unknown) => isGreater("gt", first, second);
export const ge = (first: unknown, second: unknown) => !isLess("ge", first, second);

const isGreater = (name: string, first: unknown, second: unknown) => isLess(name, second, first);
