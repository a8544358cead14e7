/** Credentials as `docker login` keeps them: in config.json, or with the helpers that it names. */
import { BockerError } from "../base/errors.ts";
import { eraseFromHelper, getFromHelper, helperFor, storeWithHelper } from "./credential-helper.ts";
import { objectIn, readDockerConfig, writeDockerConfig } from "./docker-config.ts";
import { credentialKeys } from "./endpoint.ts";

export interface Credentials {
  username: string;
  password: string;
  /** An OAuth 2 refresh token, which stands for both. */
  identityToken?: string;
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
 * Throws BockerError("invalid") for a file that cannot be understood, "denied" for a helper that fails.
 */
export function findCredentials(domain: string, path: string): Credentials | undefined {
  const config = readDockerConfig(path);
  const keys = credentialKeys(domain);
  const helper = helperFor(config, keys);
  const kept = helper === undefined ? undefined : getFromHelper(helper, keys[0]!);
  if (kept !== undefined) return kept;
  const auths = objectIn(config, "auths");
  for (const key of keys) {
    const entry = Object.hasOwn(auths, key) ? auths[key] : undefined;
    if (typeof entry === "object" && entry !== null)
      return parseEntry(entry as Record<string, unknown>, path);
  }
  return undefined;
}

/** Keeps them for the next commands. True when they lie in the file as they are, for anybody who can read it. */
export function keepCredentials(domain: string, path: string, credentials: Credentials): boolean {
  const config = readDockerConfig(path) ?? {};
  const keys = credentialKeys(domain);
  const helper = helperFor(config, keys);
  const auths = { ...objectIn(config, "auths") };
  for (const key of keys) delete auths[key];
  if (helper === undefined) {
    const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
    writeDockerConfig(path, { ...config, auths: { ...auths, [keys[0]!]: { auth } } });
    return true;
  }
  storeWithHelper(helper, keys[0]!, credentials);
  // As Docker: an empty entry says that there are some.
  writeDockerConfig(path, { ...config, auths: { ...auths, [keys[0]!]: {} } });
  return false;
}

/** Forgets them. False when there were none. */
export function forgetCredentials(domain: string, path: string): boolean {
  const config = readDockerConfig(path);
  if (config === undefined) return false;
  const keys = credentialKeys(domain);
  const auths = objectIn(config, "auths");
  const known = keys.filter((key) => Object.hasOwn(auths, key));
  const helper = helperFor(config, keys);
  if (helper !== undefined) eraseFromHelper(helper, keys[0]!);
  if (known.length === 0) return false;
  const rest = Object.entries(auths).filter(([key]) => !known.includes(key));
  writeDockerConfig(path, { ...config, auths: Object.fromEntries(rest) });
  return true;
}
