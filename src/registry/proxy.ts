/**
 * Which proxy a URL is asked through: the variables and their rules are those of Docker's daemon and of every program in Go
 * (golang.org/x/net/http/httpproxy), the keys of a file those of daemon.json ("proxies"), which count before the variables.
 */
import { BockerError } from "../base/errors.ts";
import { bareHost, isInNetwork, isLoopbackHost, portOf } from "./address.ts";

export interface Proxies {
  /** For URLs of http. */
  http: URL | undefined;
  /** For URLs of https. */
  https: URL | undefined;
  /** Lower case: a host (and what is below it), .host (only what is below), an address, a network, each with or without :PORT, or "*". */
  exceptions: readonly string[];
}

/** The object `proxies` of daemon.json. */
export interface ProxyKeys {
  "http-proxy"?: string | undefined;
  "https-proxy"?: string | undefined;
  "no-proxy"?: string | undefined;
}

/** `text` is not repeated in the error: it may have a password in it. */
function proxyUrl(text: string, where: string): URL {
  const full = /^[a-z0-9]+:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || url.hostname === "")
    throw new BockerError(
      "invalid",
      `${where}: not the URL of a proxy: it must be http(s)://[USER:PASSWORD@]HOST[:PORT]`,
    );
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new BockerError(
      "invalid",
      `${where}: proxies of ${url.protocol.slice(0, -1)} are not supported: there are http and https`,
    );
  return url;
}

/**
 * @param file where `keys` stand, for errors
 * @throws BockerError "invalid" for a proxy that cannot be used
 */
export function proxiesOf(environment: NodeJS.ProcessEnv, keys: ProxyKeys = {}, file = ""): Proxies {
  const settingOf = (name: "http-proxy" | "https-proxy" | "no-proxy") => {
    const upper = name.toUpperCase().replace("-", "_");
    const variable = [upper, upper.toLowerCase()].find((key) => (environment[key] ?? "") !== "");
    const own = keys[name] ?? "";
    if (own !== "") return { text: own, where: `${file}: proxies.${name}` };
    return variable === undefined ? undefined : { text: environment[variable]!.trim(), where: variable };
  };
  const proxyOf = (name: "http-proxy" | "https-proxy") => {
    const setting = settingOf(name);
    return setting === undefined ? undefined : proxyUrl(setting.text, setting.where);
  };
  const exceptions = (settingOf("no-proxy")?.text ?? "")
    .split(",")
    .map((entry) => entry.trim().toLowerCase());
  return {
    http: proxyOf("http-proxy"),
    https: proxyOf("https-proxy"),
    exceptions: exceptions.filter((entry) => entry !== ""),
  };
}

/** Where an entry ends in :PORT, that port and what is before it. "::1" has none. */
function splitPort(entry: string): { host: string; port: string | undefined } {
  const [, host, port] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  return { host: bareHost(host ?? entry), port };
}

function isException(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return isInNetwork(host, entry);
  const wanted = splitPort(entry);
  if (wanted.port !== undefined && wanted.port !== port) return false;
  const name = wanted.host.replace(/^\*\./, ".");
  return name.startsWith(".") ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

/** The proxy for `url`; undefined where it is asked itself, as this machine always is. */
export function proxyFor({ http, https, exceptions }: Proxies, url: URL): URL | undefined {
  const proxy = url.protocol === "https:" ? https : http;
  if (proxy === undefined || isLoopbackHost(url.hostname)) return undefined;
  const host = bareHost(url.hostname).replace(/\.$/, "");
  return exceptions.some((entry) => isException(entry, host, portOf(url))) ? undefined : proxy;
}
