/** `--change` of commit and import: Dockerfile instructions that only set how the image runs. */
import { BockerError } from "../base/errors.ts";
import type { ExecutionConfig } from "../spec/image-config.ts";
import { execForm } from "./exec-form.ts";
import { parseHealthcheck } from "./healthcheck-instruction.ts";

/** The value of a variable of the image; "" where it has none. */
type Lookup = (name: string) => string;

type Instruction = (config: ExecutionConfig, rest: string, lookup: Lookup) => void;

const VARIABLE = /\$(?:\{(\w+)(?:(:[-+])([^}]*))?\}|(\w+))/;

/** $NAME, ${NAME}, ${NAME:-otherwise}, ${NAME:+instead} (Dockerfile reference, environment replacement). */
function variable(
  [, braced, operator, word = "", bare]: readonly (string | undefined)[],
  lookup: Lookup,
): string {
  const value = lookup(braced ?? bare ?? "");
  if (operator === ":-") return value === "" ? word : value;
  if (operator === ":+") return value === "" ? "" : word;
  return value;
}

/** Within "…" a backslash keeps only what would end it or begin a variable. */
function quotedText(text: string, lookup: Lookup): string {
  return text.replace(new RegExp(`\\\\(["\\\\$])|${VARIABLE.source}`, "gs"), (...match) =>
    match[1] !== undefined ? String(match[1]) : variable(match.slice(1) as string[], lookup),
  );
}

/** A word without its quotes and backslashes, and with the values of variables; those in '…' are none. */
function wordText(word: string, lookup: Lookup): string {
  const part = new RegExp(`"((?:\\\\.|[^"\\\\])*)"|'([^']*)'|\\\\(.)|${VARIABLE.source}`, "gs");
  return word.replace(part, (...match) => {
    const [, double, single, escaped] = match as (string | undefined)[];
    if (double !== undefined) return quotedText(double, lookup);
    return single ?? escaped ?? variable(match.slice(3) as string[], lookup);
  });
}

const DEFAULT_SHELL = ["/bin/sh", "-c"];

/** ["a", "b"] as words; anything else is a line for the image's shell. */
function commandOf({ Shell }: ExecutionConfig, rest: string): string[] {
  return execForm(rest) ?? [...(Shell?.length ? Shell : DEFAULT_SHELL), rest];
}

/** KEY=VALUE words, both perhaps quoted; or the old form KEY VALUE. */
function pairs(rest: string, instruction: string, lookup: Lookup): [string, string][] {
  const old = /^([^\s="']+)\s+(.*)$/s.exec(rest);
  if (old !== null) return [[old[1]!, wordText(old[2]!, lookup)]];
  const found: [string, string][] = [];
  const text = (free: string) => `(?:"(?:\\\\.|[^"\\\\])*"|'[^']*'|\\\\.|[^\\s"'\\\\${free}])`;
  const word = new RegExp(`\\s*(${text("=")}+)=(${text("")}*)`, "gsy");
  let end = 0;
  for (let match = word.exec(rest); match !== null; match = word.exec(rest)) {
    found.push([wordText(match[1]!, lookup), wordText(match[2]!, lookup)]);
    end = word.lastIndex;
  }
  if (found.length === 0 || rest.slice(end).trim() !== "")
    throw new BockerError("invalid", `${instruction} must have the form KEY=VALUE: ${rest}`);
  return found;
}

function words(rest: string, lookup: Lookup): string[] {
  return (execForm(rest) ?? rest.split(/\s+/)).map((word) => wordText(word, lookup));
}

/** They set one thing; all others take several. */
const SINGLE = ["STOPSIGNAL", "USER", "WORKDIR"];

const INSTRUCTIONS: Record<string, Instruction> = {
  CMD: (config, rest) => {
    config.Cmd = commandOf(config, rest);
  },
  ENTRYPOINT: (config, rest) => {
    config.Entrypoint = commandOf(config, rest);
    // A new entrypoint takes the old command with it.
    config.Cmd = null;
  },
  ENV: (config, rest, lookup) => {
    const values = new Map((config.Env ?? []).map((entry) => [entry.split("=", 1)[0]!, entry]));
    for (const [key, value] of pairs(rest, "ENV", lookup)) values.set(key, `${key}=${value}`);
    config.Env = [...values.values()];
  },
  EXPOSE: (config, rest, lookup) => {
    config.ExposedPorts = { ...config.ExposedPorts };
    for (const word of words(rest, lookup)) {
      const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(word);
      if (match === null) throw new BockerError("invalid", `Invalid containerPort: ${word}`);
      for (let port = Number(match[1]); port <= Number(match[2] ?? match[1]); port++)
        config.ExposedPorts[`${port}/${match[3] ?? "tcp"}`] = {};
    }
  },
  HEALTHCHECK: (config, rest) => {
    config.Healthcheck = parseHealthcheck(rest);
  },
  LABEL: (config, rest, lookup) => {
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairs(rest, "LABEL", lookup)) };
  },
  ONBUILD: (config, rest) => {
    const trigger = rest.split(/\s/, 1)[0]!.toUpperCase();
    if (trigger === "ONBUILD")
      throw new BockerError("invalid", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === "FROM" || trigger === "MAINTAINER")
      throw new BockerError("invalid", `${trigger} isn't allowed as an ONBUILD trigger`);
    config.OnBuild = [...(config.OnBuild ?? []), rest];
  },
  STOPSIGNAL: (config, rest, lookup) => {
    config.StopSignal = wordText(rest, lookup);
  },
  USER: (config, rest, lookup) => {
    config.User = wordText(rest, lookup);
  },
  VOLUME: (config, rest, lookup) => {
    config.Volumes = { ...config.Volumes };
    for (const word of words(rest, lookup)) config.Volumes[word] = {};
  },
  WORKDIR: (config, rest, lookup) => {
    const path = wordText(rest, lookup);
    config.WorkingDir = path.startsWith("/") ? path : `${config.WorkingDir ?? ""}/${path}`;
  },
};

/** What the variables of `config` are before an instruction. */
function lookupIn({ Env }: ExecutionConfig): Lookup {
  const values = new Map(
    (Env ?? []).map((entry) => /^([^=]*)=?(.*)$/s.exec(entry)!.slice(1) as [string, string]),
  );
  return (name) => values.get(name) ?? "";
}

/** `config` with the instructions carried out in order. Throws "invalid" for others and malformed ones. */
export function applyChanges(config: ExecutionConfig, changes: string[]): ExecutionConfig {
  const result = structuredClone(config);
  for (const change of changes) {
    const [, name = "", rest = ""] = /^\s*([A-Za-z]+)(?:\s+(.*\S))?\s*$/s.exec(change) ?? [];
    const instruction = Object.hasOwn(INSTRUCTIONS, name.toUpperCase())
      ? INSTRUCTIONS[name.toUpperCase()]
      : undefined;
    if (instruction === undefined)
      throw new BockerError(
        "invalid",
        `${name === "" ? JSON.stringify(change) : name.toLowerCase()} is not a valid change command`,
      );
    if (rest === "") {
      const least = SINGLE.includes(name.toUpperCase()) ? "exactly" : "at least";
      throw new BockerError("invalid", `${name.toUpperCase()} requires ${least} one argument`);
    }
    instruction(result, rest, lookupIn(result));
  }
  return result;
}
