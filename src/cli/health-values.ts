/** `--health-*` and `--no-healthcheck` (docker/cli, opts parse; moby, validateHealthCheck); `--health-on-failure` is podman's. */
import { requireDuration } from "../base/duration.ts";
import { BockerError } from "../base/errors.ts";
import type { HostConfig } from "../spec/container.ts";
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
  const time = requireDuration(
    text,
    (fault) =>
      new BockerError("usage", `invalid argument ${JSON.stringify(text)} for "--${flag}" flag: ${fault}`),
  );
  if (time < 0) throw new BockerError("usage", `--${flag} cannot be negative`);
  if (time > 0 && time < 1)
    throw new BockerError("invalid", `${name} in Healthcheck cannot be less than 1ms`);
  return Math.round(time * NS_PER_MS);
}

function onFailure(values: FlagValues): HostConfig["healthOnFailure"] {
  const action = values.string("health-on-failure") ?? "none";
  if (action === "none") return undefined;
  if (action === "restart" && values.bool("rm"))
    throw new BockerError("usage", "conflicting options: --health-on-failure restart and --rm");
  if (action === "kill" || action === "restart" || action === "stop") return action;
  throw new BockerError(
    "usage",
    `invalid argument ${JSON.stringify(action)} for "--health-on-failure" flag: must be one of none, kill, restart, stop`,
  );
}

interface HealthSettings {
  /** What is zero is Docker's default; undefined for nothing. */
  healthcheck: HealthcheckConfig | undefined;
  host: Pick<HostConfig, "healthOnFailure">;
}

/** What the flags say of the container's health. Throws "usage" and "invalid" in Docker's words. */
export function healthOf(values: FlagValues): HealthSettings {
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
  const host = { healthOnFailure: onFailure(values) };
  if (!values.bool("no-healthcheck")) return { healthcheck: isAsked ? found : undefined, host };
  if (isAsked || host.healthOnFailure !== undefined)
    throw new BockerError("usage", "--no-healthcheck conflicts with --health-* options");
  return { healthcheck: { Test: ["NONE"] }, host };
}

/** There is nothing to act upon where nothing is checked. Throws "usage". */
export function refuseWithoutCheck(
  asked: HealthcheckConfig | undefined,
  image: HealthcheckConfig | null | undefined,
): void {
  const [kind = "NONE"] = asked?.Test ?? image?.Test ?? [];
  if (kind === "NONE")
    throw new BockerError(
      "usage",
      "--health-on-failure needs a health check: --health-cmd, or an image that has one",
    );
}
