/** A Dockerfile's HEALTHCHECK (buildkit, dockerfile/instructions). */
import { requireDuration } from "../base/duration.ts";
import { BockerError } from "../base/errors.ts";
import type { HealthcheckConfig } from "../spec/image-config.ts";
import { execForm } from "./exec-form.ts";

const FLAGS = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
  retries: "Retries",
} as const;
type FlagName = keyof typeof FLAGS;

const NANOSECONDS = 1e6;
const SHORTEST_MS = 1;
const RETRIES_MAX = 2 ** 31 - 1;

const refusal = (message: string) => new BockerError("invalid", message);

function durationOf(name: FlagName, text: string): number {
  const time = requireDuration(text, refusal);
  if (time !== 0 && time < SHORTEST_MS)
    throw refusal(`Interval ${JSON.stringify(name)} cannot be less than ${SHORTEST_MS}ms`);
  return Math.round(time * NANOSECONDS);
}

function retriesOf(text: string): number {
  const parsing = `strconv.ParseInt: parsing ${JSON.stringify(text)}`;
  if (!/^[-+]?\d+$/.test(text)) throw refusal(`${parsing}: invalid syntax`);
  const retries = Number(text);
  if (Math.abs(retries) > RETRIES_MAX) throw refusal(`${parsing}: value out of range`);
  if (retries < 0) throw refusal(`--retries cannot be negative (${retries})`);
  return retries;
}

/** `--name=value` words before a command, and what is behind them; nothing but white space may be between. */
function splitFlags(rest: string): { flags: string[]; command: string } {
  const flags: string[] = [];
  const word = /--((?:"[^"]*"|'[^']*'|[^\s"'])*)(?:\s+|$)/y;
  let end = 0;
  for (let match = word.exec(rest); match !== null; match = word.exec(rest)) {
    end = word.lastIndex;
    if (match[1] === "") break;
    flags.push(match[1]!.replace(/["']/g, ""));
  }
  return { flags, command: rest.slice(end) };
}

function settingsOf(flags: readonly string[]): HealthcheckConfig {
  const found: HealthcheckConfig = {};
  const used = new Set<string>();
  for (const flag of flags) {
    const [, name = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(flag) ?? [];
    if (!Object.hasOwn(FLAGS, name)) throw refusal(`unknown flag: ${name}`);
    if (used.has(name)) throw refusal(`duplicate flag specified: ${name}`);
    if (value === undefined) throw refusal(`missing a value on flag: ${name}`);
    used.add(name);
    const known = name as FlagName;
    if (value === "") continue;
    const number = known === "retries" ? retriesOf(value) : durationOf(known, value);
    // Zero is the default, which Docker leaves out.
    if (number !== 0) found[FLAGS[known]] = number;
  }
  return found;
}

/** What is behind HEALTHCHECK, as an image's configuration has it. Throws "invalid" with Docker's words. */
export function parseHealthcheck(rest: string): HealthcheckConfig {
  const { flags, command } = splitFlags(rest);
  const [, word = "", line = ""] = /^(\S+)\s*(.*)$/s.exec(command) ?? [];
  const type = word.toUpperCase();
  if (type === "") throw refusal("HEALTHCHECK requires at least one argument");
  if (type === "NONE") {
    if (line !== "") throw refusal("HEALTHCHECK NONE takes no arguments");
    return { Test: ["NONE"] };
  }
  const settings = settingsOf(flags);
  if (type !== "CMD") throw refusal(`Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`);
  const words = execForm(line);
  if (line === "" || words?.length === 0) throw refusal("Missing command after HEALTHCHECK CMD");
  return { Test: words === undefined ? ["CMD-SHELL", line] : ["CMD", ...words], ...settings };
}
