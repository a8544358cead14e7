/** Which servers stand behind the domain of a reference. */
import { isLoopbackHost } from "./address.ts";

/** Docker Hub's names: in references, of the API, and as the key of its credentials. */
const HUB_DOMAIN = "docker.io";
const HUB_HOST = "registry-1.docker.io";
const HUB_SEARCH = "index.docker.io";
const HUB_CREDENTIALS = "https://index.docker.io/v1/";

/**
 * The origins to try in order. Plain http only for a registry on this machine, as Docker does
 * (registry/config.go: 127.0.0.0/8 and ::1 are "insecure registries"), and for one that is `insecure`.
 */
export function originsOf(domain: string, insecure: boolean): URL[] {
  const host = domain === HUB_DOMAIN ? HUB_HOST : domain;
  const https = new URL(`https://${host}`);
  return insecure || isLoopbackHost(https.hostname) ? [https, new URL(`http://${host}`)] : [https];
}

/** Mirrors are of Docker Hub only (dockerd, --registry-mirror). */
export function hasMirrors(domain: string): boolean {
  return domain === HUB_DOMAIN;
}

/** Where Docker Hub is searched. */
export function searchOrigin(): URL {
  return new URL(`https://${HUB_SEARCH}`);
}

/** The domain that a SERVER on the command line means: Docker Hub without one. Scheme and path do not count. */
export function serverDomain(server: string | undefined): string {
  const host = (server ?? HUB_DOMAIN).replace(/^https?:\/\//, "").split("/")[0] ?? "";
  return [HUB_SEARCH, HUB_HOST].includes(host) ? HUB_DOMAIN : host;
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
