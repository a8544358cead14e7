/** --restart: a policy, and of on-failure how often (docker/cli, opts.ParseRestartPolicy; moby, ValidateRestartPolicy). */
import { BockerError } from "../base/errors.ts";
import type { HostConfig, RestartPolicy } from "../spec/container.ts";
import type { FlagValues } from "./flags.ts";

const invalid = (message: string) => new BockerError("invalid", `invalid restart policy: ${message}`);

/** Undefined for "no". Throws "invalid" in Docker's words. */
export function parseRestart(text: string): RestartPolicy | undefined {
  const [name = "", ...rest] = text.split(":");
  const count = rest.join(":");
  if (rest.length > 0 && !/^[+-]?\d{1,9}$/.test(count))
    throw new BockerError("invalid", "invalid restart policy format: maximum retry count must be an integer");
  const retries = Number(count);
  if (name === "" && rest.length > 0)
    throw new BockerError("invalid", "invalid restart policy format: no policy provided before colon");
  if (name !== "on-failure" && ["", "no", "always", "unless-stopped"].includes(name)) {
    if (retries !== 0) throw invalid(`maximum retry count cannot be used with restart policy '${name}'`);
    return name === "" || name === "no" ? undefined : { name: name as RestartPolicy["name"], retries: 0 };
  }
  if (name !== "on-failure")
    throw invalid(`unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`);
  if (retries < 0) throw invalid("maximum retry count cannot be negative");
  return { name, retries };
}

/** As a container's setting. Throws "usage" beside --rm. */
export function restartOf(values: FlagValues): Pick<HostConfig, "restart"> {
  const restart = parseRestart(values.string("restart") ?? "");
  if (restart !== undefined && values.bool("rm"))
    throw new BockerError("usage", "conflicting options: cannot specify both --restart and --rm");
  return { restart };
}
