/**
 * A plan for programs. The document has
 *
 *   format      1; raised when the meaning of a field changes
 *   id, name    of the container
 *   image       { reference, id, layers }, where there is one
 *   before      steps of the engine before the launcher runs
 *   meanwhile   steps of the engine while the launcher makes the container's process
 *   plan        { operations, monitor, timings }: what encodePlan makes the launcher's bytes of
 *   inherited   what the descriptors are that the launcher gets from number 5 on
 *   after       steps of the engine after the monitor has ended
 *
 * What JSON has no type for is an object with one member: { "u64": "18446744073709551615" } is a 64-bit number
 * (as decimal text, since a reader's numbers may have 53 bits), { "base64": "AQID" } are bytes. Bytes of arguments that
 * are not UTF-8 are lone surrogates U+DC80 to U+DCFF, escaped.
 */

import { BockerError } from "../../base/errors.ts";
import { visibleJson } from "../../base/visible-json.ts";
import type { Plan } from "../plan/operation.ts";
import type { Explanation } from "./explanation.ts";

const JSON_FORMAT = 1;

function replace(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? { u64: String(value) } : value;
}

/** JSON.stringify asks a Buffer's toJSON before the replacer sees it, so bytes are replaced beforehand. */
function withoutBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(withoutBytes);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutBytes(member)]));
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value);
  const [only] = members;
  if (members.length !== 1 || only === undefined || typeof only[1] !== "string") return value;
  if (only[0] === "u64") return BigInt(only[1]);
  if (only[0] === "base64") return new Uint8Array(Buffer.from(only[1], "base64"));
  return value;
}

/** The document, indented, without a newline at the end. */
export function explainJson(explanation: Explanation): string {
  return visibleJson({ format: JSON_FORMAT, ...(withoutBytes(explanation) as object) }, 2, replace);
}

/** Reads a document back. Throws "invalid" for one of another format. */
export function parseExplanation(text: string): Explanation {
  const document = JSON.parse(text, revive) as Explanation & { format: number };
  if (document.format !== JSON_FORMAT)
    throw new BockerError("invalid", `a plan of format ${document.format}; this bocker knows ${JSON_FORMAT}`);
  return document;
}

/** The plan in a document: encodePlan gives the same bytes as for the plan it was made of. */
export function parsePlanJson(text: string): Plan {
  return parseExplanation(text).plan;
}
