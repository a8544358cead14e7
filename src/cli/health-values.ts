/** `--health-*` and `--no-healthcheck` (docker/cli, opts parse; moby, validateHealthCheck). */
import { durationFault, parseDuration } from "../base/duration.ts";
import { BockerError } from "../base/errors.ts";
import type { HealthcheckConfig } from "../spec/image-config.ts";
import type { FlagValues } from "./flags.ts";

const TIMES = [
  ["health-interval", "Interval"],
  ["health-timeout", "Timeout"],
  ["health-start-period", "StartPeriod"],
  ["health-start-interval", "StartInterval"],
] as const;
const NS_PER_MS = 1e6;

function timeOf(values: FlagValues, flag: string, name: string): number {
  const text = values.string(flag) ?? "0";
  const time = parseDuration(text);
  const wrong = (fault: string) =>
    new BockerError("usage", `invalid argument ${JSON.stringify(text)} for "--${flag}" flag: ${fault}`);
  if (time === undefined) throw wrong(durationFault(text));
  if (Math.abs(time) * NS_PER_MS >= 2 ** 63) throw wrong(`time: invalid duration ${JSON.stringify(text)}`);
  if (time < 0) throw new BockerError("usage", `--${flag} cannot be negative`);
  if (time > 0 && time < 1)
    throw new BockerError("invalid", `${name} in Healthcheck cannot be less than 1ms`);
  return Math.round(time * NS_PER_MS);
}

/** What the flags say of the container's health check; undefined for nothing. What is zero is Docker's default. */
export function healthcheckOf(values: FlagValues): HealthcheckConfig | undefined {
  const found: HealthcheckConfig = {};
  const command = values.string("health-cmd") ?? "";
  if (command !== "") found.Test = ["CMD-SHELL", command];
  for (const [flag, name] of TIMES) {
    const time = timeOf(values, flag, name);
    if (time > 0) found[name] = time;
  }
  const retries = values.int("health-retries") ?? 0;
  if (retries < 0) throw new BockerError("usage", "--health-retries cannot be negative");
  if (retries > 0) found.Retries = retries;
  const isAsked = Object.keys(found).length > 0;
  if (!values.bool("no-healthcheck")) return isAsked ? found : undefined;
  if (isAsked) throw new BockerError("usage", "--no-healthcheck conflicts with --health-* options");
  return { Test: ["NONE"] };
}
