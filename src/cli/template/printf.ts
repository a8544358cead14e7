/** Go's fmt.Sprintf for the values that templates have. */
import { goText } from "./go-text.ts";
import { floatText, typeName, WholeFloat } from "./kind.ts";
import { NIL_MAP } from "./zero.ts";

/** Go refuses wider fields; and no number has more digits than JavaScript prints. */
export const WIDTH_MAX = 1_000_000;
const DIGITS_MAX = 100;

const valueText = (value: unknown) => (value === null || value === undefined ? "<nil>" : goText(value));

function wrong(verb: string, value: unknown): string {
  if (value === null || value === undefined) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeName(value)}=${valueText(value)})`;
}

const hexOf = (text: string) => Buffer.from(text).toString("hex");

/** One value by one verb, without its width; undefined where the verb is not for it. */
function verbText(
  verb: string,
  value: unknown,
  flags: string,
  precision: number | undefined,
): string | undefined {
  const signed = (text: string) => (text.startsWith("-") ? text : `${flags.includes("+") ? "+" : ""}${text}`);
  if (verb === "v")
    return flags.includes("#") && typeof value === "string" ? JSON.stringify(value) : valueText(value);
  if (verb === "T") return typeName(value);
  // A verb for what a list holds is for the list.
  if (Array.isArray(value)) {
    const items = value.map((item) => verbText(verb, item, flags, precision) ?? wrong(verb, item));
    return `[${items.join(" ")}]`;
  }
  if (value === NIL_MAP) return goText(value);
  if (typeof value === "boolean") return verb === "t" ? String(value) : undefined;
  if (typeof value === "string") {
    const text = precision === undefined ? value : [...value].slice(0, precision).join("");
    if (verb === "s") return text;
    if (verb === "q") return JSON.stringify(text);
    if (verb === "x" || verb === "X") return verb === "x" ? hexOf(text) : hexOf(text).toUpperCase();
    return undefined;
  }
  if (typeName(value) === "float64") {
    const number = Number(value);
    if (verb === "f") return signed(number.toFixed(precision ?? 6));
    if (verb === "e") return signed(number.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, "e$10$2"));
    return verb === "g" ? signed(floatText(number)) : undefined;
  }
  if (typeof value !== "number") return undefined;
  const bases: Record<string, number> = { b: 2, o: 8, d: 10, x: 16, X: 16 };
  if (Object.hasOwn(bases, verb)) {
    const digits = signed(value.toString(bases[verb]));
    const prefixed =
      flags.includes("#") && verb.toLowerCase() === "x" ? digits.replace(/(?=\w)/, "0x") : digits;
    return verb === "X" ? prefixed.toUpperCase() : prefixed;
  }
  const isRune = value >= 0 && value <= 0x10ffff;
  if (verb === "U") return `U+${value.toString(16).toUpperCase().padStart(4, "0")}`;
  if (verb === "c" && isRune) return String.fromCodePoint(value);
  return verb === "q" && isRune ? `'${String.fromCodePoint(value)}'` : undefined;
}

const isNumber = (value: unknown) => typeof value === "number" || value instanceof WholeFloat;

function padded(text: string, flags: string, width: number, isNumber: boolean): string {
  if (flags.includes("-")) return text.padEnd(width);
  if (!flags.includes("0") || !isNumber) return text.padStart(width);
  const [, sign = "", digits = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  return sign + digits.padStart(width - sign.length, "0");
}

/** What is wrong is in the text, as in Go: a verb that is not for its value, a value too few or too many. */
export function printf(format: unknown, ...values: unknown[]): string {
  let next = 0;
  const text = goText(format).replace(
    /%([-+# 0]*)(\d*)(?:\.(\d*))?(.?)/gsu,
    (_, flags: string, width: string, digits: string | undefined, verb: string) => {
      if (verb === "") return "%!(NOVERB)";
      if (verb === "%") return "%";
      if (next >= values.length) return `%!${verb}(MISSING)`;
      const value = values[next++];
      const isBad = Number(digits ?? 0) > DIGITS_MAX;
      const precision = digits === undefined || isBad ? undefined : Number(digits);
      const shown = verbText(verb, value, flags, precision) ?? wrong(verb, value);
      if (isBad) return `%!(BADPREC)${shown}`;
      if (Number(width) > WIDTH_MAX) return `%!(BADWIDTH)${shown}`;
      return padded(shown, flags, Number(width), isNumber(value));
    },
  );
  if (next >= values.length) return text;
  const extra = values.slice(next).map((value) => `${typeName(value)}=${valueText(value)}`);
  return `${text}%!(EXTRA ${extra.join(", ")})`;
}
