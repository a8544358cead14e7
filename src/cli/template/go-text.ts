/** Values as Go's fmt prints them with %v, and Go's idea of what is true. */
import { floatText, kindOf, WholeFloat } from "./kind.ts";
import { NIL_POINTER } from "./zero.ts";

/** Go's truth: empty things are false. */
export function isTrue(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === "") return false;
  if (value === NIL_POINTER) return false;
  if (value instanceof WholeFloat) return value.valueOf() !== 0;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

/** As Go's fmt prints values with %v. */
export function goText(value: unknown): string {
  if (value === undefined || value === null) return "<no value>";
  if (value === NIL_POINTER) return String(value);
  if (kindOf(value) === "float64") return floatText(Number(value));
  if (Array.isArray(value)) return `[${value.map(itemText).join(" ")}]`;
  if (typeof value === "object") {
    const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${pairs.map(([key, item]) => `${key}:${itemText(item)}`).join(" ")}]`;
  }
  return String(value);
}

/** The same within a list or a map, where {} is a struct, unless it is a map: those of sets have no fields. */
function itemText(item: unknown): string {
  if (item === null) return "<nil>";
  const isPlain = typeof item === "object" && Object.getPrototypeOf(item) === Object.prototype;
  return isPlain && Object.keys(item).length === 0 ? "{}" : goText(item);
}
