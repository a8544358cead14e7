/** What a value is in Go: JavaScript has one kind of number, and templates tell ints from floats. */
import { isNil, NIL_MAP } from "./zero.ts";

/**
 * A float64 without a fraction, as a template's `1.0` is: a plain number would be taken for an int. Documents have ints wherever
 * their numbers are whole.
 */
export class WholeFloat {
  readonly #value: number;

  constructor(value: number) {
    this.#value = value;
  }

  valueOf(): number {
    return this.#value;
  }

  toJSON(): number {
    return this.#value;
  }
}

export type Kind = "nil" | "bool" | "int" | "float64" | "string" | "slice" | "map";

/** A missing value and a nil pointer are "nil"; an empty list or map, nil or not, is what it is. */
export function kindOf(value: unknown): Kind {
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  if (value instanceof WholeFloat) return "float64";
  if (Array.isArray(value)) return "slice";
  if (value === null || value === undefined) return "nil";
  return isNil(value) && value !== NIL_MAP ? "nil" : "map";
}

const TYPES: Partial<Record<Kind, string>> = {
  nil: "<nil>",
  slice: "[]interface {}",
  map: "map[string]interface {}",
};

/** As %T says it. */
export function typeName(value: unknown): string {
  const kind = kindOf(value);
  return TYPES[kind] ?? kind;
}

/** As fmt prints a float with %v and %g: exponents have two digits, and begin at a million. */
export function floatText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6))
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  return Object.is(value, -0) ? "-0" : String(value);
}
