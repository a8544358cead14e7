/** Whether a registry takes credentials (distribution spec, "API version check"). */
import { parseReference } from "../base/reference.ts";
import type { Credentials } from "./credentials.ts";
import { type ClientOptions, RegistrySession } from "./session.ts";

/** Resolves when the registry has let these credentials in. Throws "denied", "registry". */
export async function checkCredentials(
  domain: string,
  credentials: Credentials,
  signal: AbortSignal | undefined,
  options: ClientOptions = {},
): Promise<void> {
  const session = new RegistrySession(parseReference(`${domain}/login`), "login", {
    ...options,
    signal,
    credentials,
  });
  (await session.request("/v2/", { method: "GET", expected: [200] })).discard();
}
