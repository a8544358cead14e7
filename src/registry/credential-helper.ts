/** Programs that keep credentials: docker-credential-NAME, spoken to by Docker's protocol (docker-credential-helpers). */
import { spawnSync } from "node:child_process";
import { BockerError } from "../base/errors.ts";
import type { Credentials } from "./credentials.ts";
import { type DockerConfig, objectIn } from "./docker-config.ts";

const ANSWER_MAX = 1 << 20;
const TIMEOUT_MS = 60_000;
/** Instead of a user, for an OAuth 2 refresh token. */
const TOKEN_USER = "<token>";

/** The helper for one of these keys: of its own (credHelpers), or that for all (credsStore). */
export function helperFor(config: DockerConfig | undefined, keys: readonly string[]): string | undefined {
  const own = objectIn(config, "credHelpers");
  const named = keys.map((key) => (Object.hasOwn(own, key) ? own[key] : undefined)).find(Boolean);
  const name = named ?? config?.["credsStore"];
  if (typeof name !== "string" || name === "") return undefined;
  // Docker would execute whatever stands there.
  if (/^[A-Za-z0-9._-]+$/.test(name)) return name;
  throw new BockerError("invalid", `"${name}" cannot be the name of a credential helper`);
}

/** Runs the helper; its output, or undefined where it says that it has none. */
function ask(helper: string, verb: "get" | "store" | "erase", input: string): string | undefined {
  const program = `docker-credential-${helper}`;
  const { status, stdout, error } = spawnSync(program, [verb], {
    input,
    encoding: "utf8",
    maxBuffer: ANSWER_MAX,
    timeout: TIMEOUT_MS,
    stdio: ["pipe", "pipe", "inherit"],
  });
  // What is public can be pulled without it.
  if (verb === "get" && (error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return undefined;
  if (error !== undefined)
    throw new BockerError("denied", `error getting credentials: cannot run ${program}: ${error.message}`);
  if (status === 0) return stdout;
  if (/credentials not found/i.test(stdout)) return undefined;
  throw new BockerError(
    "denied",
    `error getting credentials: ${program} ${verb}: ${stdout.trim().slice(0, 500)}`,
  );
}

export function getFromHelper(helper: string, key: string): Credentials | undefined {
  const answer = ask(helper, "get", key);
  if (answer === undefined) return undefined;
  let document: unknown;
  try {
    document = JSON.parse(answer);
  } catch {
    throw new BockerError("denied", `docker-credential-${helper} answered no JSON`);
  }
  const { Username, Secret } = (document ?? {}) as { Username?: unknown; Secret?: unknown };
  if (typeof Username !== "string" || typeof Secret !== "string" || Secret === "") return undefined;
  return Username === TOKEN_USER
    ? { username: "", password: "", identityToken: Secret }
    : { username: Username, password: Secret };
}

export function storeWithHelper(helper: string, key: string, { username, password }: Credentials): void {
  ask(helper, "store", JSON.stringify({ ServerURL: key, Username: username, Secret: password }));
}

export function eraseFromHelper(helper: string, key: string): void {
  ask(helper, "erase", key);
}
