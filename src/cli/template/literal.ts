/** Constants of templates: numbers and characters as Go writes them (text/template/parse, newNumber). */
import { templateError } from "./errors.ts";
import { unquoteGo } from "./go-string.ts";
import { WholeFloat } from "./kind.ts";

/** `0x1F`, `0b101`, `0o17`, `017`, `1_000` */
const INTEGER =
  /^[+-]?(?:0[xX]_?[\da-fA-F]+(?:_[\da-fA-F]+)*|0[bB]_?[01]+(?:_[01]+)*|0[oO]?_?[0-7]+(?:_[0-7]+)*|0|[1-9]\d*(?:_\d+)*)$/;
const DECIMAL = /^[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?$/;
/** The digits before and behind the point, and the power of two. */
const HEX_FLOAT = /^0[xX]([\da-fA-F]*)(?:\.([\da-fA-F]*))?[pP]([+-]?\d+)$/;
/** What Go's scanner takes for a number, whatever it is worth; in what is left, letters are none of it. */
const SCANNED =
  /^[+-]?(?:0[xX][\da-fA-F_]*(?:\.[\da-fA-F_]*)?(?:[pP][+-]?[\d_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?[\d_]*)?)/;

function integer(text: string): number | undefined {
  if (!INTEGER.test(text)) return undefined;
  const digits = text.replace(/[+_-]/g, "").replace(/^0(?=\d)/, "0o");
  const value = Number(digits);
  // Go has more of them, but JavaScript would make others of those.
  if (!Number.isSafeInteger(value)) throw templateError(`integer overflow: ${JSON.stringify(text)}`);
  // There is no -0 among ints.
  return text.startsWith("-") && value !== 0 ? -value : value;
}

function float(text: string): number | undefined {
  const plain = text.replaceAll("_", "");
  if (DECIMAL.test(text)) return Number(plain);
  const [, whole = "", fraction = "", power = ""] = HEX_FLOAT.exec(plain.replace(/^[+-]/, "")) ?? [];
  if (whole + fraction === "") return undefined;
  const value = Number.parseInt(whole + fraction, 16) * 2 ** (Number(power) - 4 * fraction.length);
  return plain.startsWith("-") ? -value : value;
}

/** A number's value. Throws "invalid" for what is none. */
export function numberLiteral(text: string): number | WholeFloat {
  const scanned = SCANNED.exec(text)![0];
  const quoted = JSON.stringify(text);
  if (text === `${scanned}i`) throw templateError(`imaginary numbers are not supported by bocker: ${quoted}`);
  if (scanned !== text)
    throw templateError(`bad number syntax: ${JSON.stringify(text.slice(0, scanned.length + 1))}`);
  const whole = integer(text);
  if (whole !== undefined) return whole;
  const value = float(text);
  if (value === undefined || !Number.isFinite(value)) throw templateError(`illegal number syntax: ${quoted}`);
  // Go's words for 08, too.
  if (!/[.eEpP]/.test(text)) throw templateError(`integer overflow: ${quoted}`);
  return Number.isInteger(value) ? new WholeFloat(value) : value;
}

/** The code point of 'a'. */
export function characterLiteral(text: string): number {
  const character = unquoteGo(text);
  if (character === undefined) throw templateError("invalid syntax");
  const code = character.codePointAt(0);
  if (code === undefined || String.fromCodePoint(code) !== character)
    throw templateError(`malformed character constant: ${text}`);
  return code;
}
