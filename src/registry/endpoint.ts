/** Which servers stand behind the domain of a reference. */
import { isLoopbackHost } from "./address.ts";

/** Docker Hub's names: in references, of the API, and as the key of its credentials. */
const HUB_DOMAIN = "docker.io";
const HUB_HOST = "registry-1.docker.io";
const HUB_CREDENTIALS = "https://index.docker.io/v1/";

/**
 * The origins to try in order. Plain http only for a registry on this machine, as Docker does
 * (registry/config.go: 127.0.0.0/8 and ::1 are "insecure registries").
 */
export function originsOf(domain: string): URL[] {
  const host = domain === HUB_DOMAIN ? HUB_HOST : domain;
  const https = new URL(`https://${host}`);
  return isLoopbackHost(https.hostname) ? [https, new URL(`http://${host}`)] : [https];
}

/** Under which keys of config.json's `auths` the credentials for a domain may stand. */
export function credentialKeys(domain: string): string[] {
  if (domain === HUB_DOMAIN) return [HUB_CREDENTIALS];
  return [domain, `https://${domain}`, `https://${domain}/v1/`, `https://${domain}/v2/`, `http://${domain}`];
}

/** The same scheme, host and port: what credentials are bound to. */
export function isSameOrigin(a: URL, b: URL): boolean {
  return a.origin === b.origin;
}
