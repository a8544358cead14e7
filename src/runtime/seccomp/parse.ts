/** A profile from a file of the user's: `--security-opt seccomp=profile.json`. */
import * as v from "valibot";
import { BockerError, messageOf } from "../../base/errors.ts";
import type { Profile } from "./profile.ts";

const integer = v.union([v.pipe(v.number(), v.integer(), v.minValue(0)), v.bigint()]);
const errno = v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4095)));
const names = v.nullish(v.array(v.string()));

const action = v.picklist([
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_LOG",
  "SCMP_ACT_ALLOW",
]);

const operator = v.picklist([
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
]);

const condition = v.nullish(
  v.object({
    caps: names,
    arches: names,
    minKernel: v.optional(v.pipe(v.string(), v.regex(/^\d+\.\d+$/, "a kernel version like 4.8"))),
  }),
);

const rule = v.object({
  names,
  name: v.optional(v.string()),
  action,
  errnoRet: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4095))),
  args: v.nullish(
    v.array(
      v.object({
        index: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(5)),
        value: integer,
        valueTwo: v.optional(integer),
        op: operator,
      }),
    ),
  ),
  comment: v.optional(v.string()),
  includes: condition,
  excludes: condition,
});

const schema = v.object({
  defaultAction: action,
  defaultErrnoRet: errno,
  architectures: names,
  archMap: v.nullish(v.array(v.object({ architecture: v.string(), subArchitectures: names }))),
  flags: names,
  syscalls: v.nullish(v.array(rule)),
});

/** Stands before the digits of a number that a double cannot hold. No JSON text contains it unescaped. */
const EXACT = "\u0000";

/** JSON with 64-bit numbers: masks beyond 2^53 become bigints instead of losing their low bits. */
function parseExactJson(text: string): unknown {
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|\d{16,20}(?![\d.eE])/g, (token) =>
    token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : `"\\u0000${token}"`,
  );
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === "string" && value.startsWith(EXACT) ? BigInt(value.slice(EXACT.length)) : value,
  );
}

/** The JSON text of a profile. Unknown members are ignored, as Docker does. Throws "invalid". */
export function parseProfile(text: string): Profile {
  let json: unknown;
  try {
    json = parseExactJson(text);
  } catch (cause) {
    throw new BockerError("invalid", `Decoding seccomp profile failed: ${messageOf(cause)}`, { cause });
  }
  const result = v.safeParse(schema, json);
  if (!result.success) {
    const issue = result.issues[0];
    const place = v.getDotPath(issue);
    const where = place === null ? "" : `${place}: `;
    throw new BockerError("invalid", `Decoding seccomp profile failed: ${where}${issue.message}`);
  }
  return result.output;
}
