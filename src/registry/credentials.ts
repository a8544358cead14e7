/** Credentials as `docker login` keeps them: $DOCKER_CONFIG/config.json, else ~/.docker/config.json. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { BockerError } from "../base/errors.ts";
import { credentialKeys } from "./endpoint.ts";

export interface Credentials {
  username: string;
  password: string;
  /** An OAuth 2 refresh token, which stands for both. */
  identityToken?: string;
}

/** Where the file is, by the environment. */
export function dockerConfigPath(environment: NodeJS.ProcessEnv): string {
  const directory = environment["DOCKER_CONFIG"];
  return join(
    directory === undefined || directory === "" ? join(homedir(), ".docker") : directory,
    "config.json",
  );
}

function readConfig(path: string): Record<string, unknown> | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return undefined;
    throw error;
  }
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === "object" && document !== null) return document as Record<string, unknown>;
  } catch {
    // Reported below: the parser's own message would show a piece of the file.
  }
  throw new BockerError("invalid", `${path} is not valid JSON`);
}

function parseEntry(entry: Record<string, unknown>, path: string): Credentials | undefined {
  const identityToken = entry["identitytoken"];
  const auth = entry["auth"];
  let username = typeof entry["username"] === "string" ? entry["username"] : "";
  let password = typeof entry["password"] === "string" ? entry["password"] : "";
  if (typeof auth === "string" && auth !== "") {
    const decoded = Buffer.from(auth, "base64").toString("utf8");
    const colon = decoded.indexOf(":");
    if (colon < 0) throw new BockerError("invalid", `${path}: an "auth" is not "user:password" in base64`);
    username = decoded.slice(0, colon);
    // Docker cuts NUL bytes off: old versions padded with them.
    password = decoded.slice(colon + 1).replace(/\0+$/, "");
  }
  if (typeof identityToken === "string" && identityToken !== "") return { username, password, identityToken };
  return username === "" ? undefined : { username, password };
}

/**
 * The credentials for a registry's domain; undefined where there are none. Entries match whole names only.
 * Credential helpers are not asked: an entry that one of them holds counts as none.
 * Throws BockerError("invalid") for a file that cannot be understood.
 */
export function findCredentials(domain: string, path: string): Credentials | undefined {
  const auths = readConfig(path)?.["auths"];
  if (typeof auths !== "object" || auths === null) return undefined;
  for (const key of credentialKeys(domain)) {
    if (!Object.hasOwn(auths, key)) continue;
    const entry = (auths as Record<string, unknown>)[key];
    if (typeof entry === "object" && entry !== null)
      return parseEntry(entry as Record<string, unknown>, path);
  }
  return undefined;
}
