/**
 * The contents of a container's /etc/hosts, /etc/hostname and /etc/resolv.conf: moby libnetwork/etchosts and
 * libnetwork/internal/resolvconf. Pure. Every value that comes from a user is refused when it could add a line.
 */
import { BockerError } from "../base/errors.ts";
import { ipVersion } from "../base/ip-version.ts";

/** An `--add-host`, or another container's name. */
export interface HostEntry {
  readonly name: string;
  readonly address: string;
}

/** Used when the host has no nameserver a container could reach (moby resolvconf.go). */
const FALLBACK_NAMESERVERS = ["8.8.8.8", "8.8.4.4"] as const;

const HOSTS_IPV4 = "127.0.0.1\tlocalhost\n";
const HOSTS_IPV6 = [
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
  "",
].join("\n");

/** A value that is one word of one line. */
function oneWord(value: string, what: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (value === "" || /[\s\u0000-\u001f\u007f\u0085\u2028\u2029#]/.test(value)) {
    throw new BockerError("invalid", `invalid ${what}: ${JSON.stringify(value)}`);
  }
  return value;
}

/** `name:address` or `name=address`; the address may be in brackets, or `host-gateway`. */
export function parseAddHost(argument: string, hostGateway?: string): HostEntry {
  const equals = argument.indexOf("=");
  const cut = equals >= 0 ? equals : argument.indexOf(":");
  const name = argument.slice(0, Math.max(cut, 0));
  if (cut <= 0) {
    throw new BockerError("invalid", `bad format for add-host: ${JSON.stringify(argument)}`);
  }
  oneWord(name, "host name in add-host");
  const text = argument.slice(cut + 1);
  if (text === "host-gateway") {
    if (hostGateway === undefined) {
      throw new BockerError("invalid", "unable to derive the IP value for host-gateway");
    }
    return { name, address: hostGateway };
  }
  const address = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (ipVersion(address) === 0) {
    throw new BockerError("invalid", `invalid IP address in add-host: ${JSON.stringify(text)}`);
  }
  return { name, address };
}

/**
 * /etc/hosts. `own` is the container's address in its first network with the names it has there:
 * `--hostname` (with the part before the first dot, if it has one).
 */
export function hostsText(options: {
  readonly own?: { readonly address: string; readonly hostname: string; readonly domainname?: string };
  readonly extra?: readonly HostEntry[];
  /** False leaves the ip6-* lines out. */
  readonly ipv6?: boolean;
}): string {
  let text = HOSTS_IPV4;
  if (options.ipv6 !== false) text += HOSTS_IPV6;
  for (const { name, address } of options.extra ?? []) {
    text += `${oneWord(address, "IP address")}\t${oneWord(name, "host name")}\n`;
  }
  if (options.own !== undefined) {
    const hostname = oneWord(options.own.hostname, "hostname");
    const domain = options.own.domainname;
    const full =
      domain === undefined || domain === "" ? hostname : `${hostname}.${oneWord(domain, "domainname")}`;
    const short = full.split(".")[0] as string;
    text += `${oneWord(options.own.address, "IP address")}\t${full === short ? full : `${full} ${short}`}\n`;
  }
  return text;
}

/** Throws "invalid" for names that are not one word each; no domain is "". */
export function hostnameFile(hostname: string, domainname = ""): string {
  if (domainname !== "") oneWord(domainname, "domainname");
  return `${oneWord(hostname, "hostname")}\n`;
}

export interface ResolvOverrides {
  /** `--dns`: these instead of the host's. */
  readonly nameservers?: readonly string[];
  /** `--dns-search`; a single "." means none. */
  readonly search?: readonly string[];
  /** `--dns-option`. */
  readonly options?: readonly string[];
}

interface ResolvConf {
  nameservers: string[];
  search: string[];
  options: string[];
}

function parseResolvConf(text: string): ResolvConf {
  const conf: ResolvConf = { nameservers: [], search: [], options: [] };
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
    const values = words.slice(1);
    if (words[0] === "nameserver" && values[0] !== undefined) conf.nameservers.push(values[0]);
    // As resolv.conf(5) says, the last search or domain line counts.
    else if (words[0] === "search" || words[0] === "domain") conf.search = values;
    else if (words[0] === "options") conf.options.push(...values);
  }
  return conf;
}

/**
 * Which of the host's files to read: systemd-resolved's stub (127.0.0.53 alone) is unreachable from a
 * container, and its real servers are in another file.
 */
export function resolvConfPath(etcResolvConf: string): string {
  const { nameservers } = parseResolvConf(etcResolvConf);
  return nameservers.length === 1 && nameservers[0] === "127.0.0.53"
    ? "/run/systemd/resolve/resolv.conf"
    : "/etc/resolv.conf";
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

/**
 * /etc/resolv.conf for a container with a network of its own: the host's, without servers that only the
 * host can reach (loopback; IPv6, which bocker's networks do not carry), or the fallback when none is left.
 * For the host's network pass `ownNetwork: false`: the host's file as it is, unless something is overridden.
 */
export function resolvFile(
  hostResolvConf: string,
  overrides: ResolvOverrides = {},
  settings: { readonly ownNetwork: boolean } = { ownNetwork: true },
): string {
  const { nameservers, search, options } = overrides;
  const overridden = [nameservers, search, options].some((list) => list !== undefined && list.length > 0);
  if (!settings.ownNetwork && !overridden) return hostResolvConf;
  const host = parseResolvConf(hostResolvConf);
  let servers = host.nameservers;
  if (nameservers !== undefined && nameservers.length > 0) {
    for (const server of nameservers) {
      if (ipVersion(server) === 0) {
        throw new BockerError("invalid", `invalid IP address: ${JSON.stringify(server)}`);
      }
    }
    servers = [...nameservers];
  } else if (settings.ownNetwork) {
    servers = servers.filter((server) => ipVersion(server) === 4 && !isLoopback(server));
    if (servers.length === 0) servers = [...FALLBACK_NAMESERVERS];
  }
  const domains =
    search !== undefined && search.length > 0 ? search.filter((name) => name !== ".") : host.search;
  const settingsLine = options !== undefined && options.length > 0 ? options : host.options;
  const lines = servers.map((server) => `nameserver ${oneWord(server, "nameserver")}`);
  if (domains.length > 0)
    lines.push(`search ${domains.map((name) => oneWord(name, "DNS search domain")).join(" ")}`);
  if (settingsLine.length > 0) {
    lines.push(`options ${settingsLine.map((option) => oneWord(option, "DNS option")).join(" ")}`);
  }
  return `# Generated by bocker.\n${lines.join("\n")}\n`;
}
