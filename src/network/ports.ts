/**
 * Docker's syntax for published ports: go-connections/nat ParsePortSpec and docker/cli convertToStandardNotation.
 */
import { BockerError } from "../base/errors.ts";
import { tryParseIpv4 } from "../base/ipv4.ts";

export type Protocol = "tcp" | "udp" | "sctp";

/** One container port and where it shall be reachable. */
export interface PortRequest {
  readonly protocol: Protocol;
  readonly containerPort: number;
  /** "0.0.0.0" for all of the host's addresses. */
  readonly hostIp: string;
  /** The first free port of these; both 0 for any. */
  readonly hostPortFirst: number;
  readonly hostPortLast: number;
}

/** A port that is published: what the firewall's map holds. */
export interface PublishedPort {
  readonly protocol: Protocol;
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerIp: string;
  readonly containerPort: number;
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}

/** "80" or "80-90". */
function parseRange(text: string): PortRange | undefined {
  const parts = text.split("-");
  const first = parsePort(parts[0] ?? "");
  const last = parts.length === 1 ? first : parts.length === 2 ? parsePort(parts[1] ?? "") : undefined;
  return first === undefined || last === undefined || last < first ? undefined : { first, last };
}

function parseProtocol(text: string): Protocol {
  const protocol = text.toLowerCase();
  if (protocol === "tcp" || protocol === "udp" || protocol === "sctp") return protocol;
  throw new BockerError("invalid", `invalid proto: ${text}`);
}

/** "80/udp" to its parts; without a protocol it is tcp. */
function splitProtocol(text: string): { ports: string; protocol: Protocol } {
  const slash = text.indexOf("/");
  if (slash < 0) return { ports: text, protocol: "tcp" };
  const protocol = text.slice(slash + 1);
  return { ports: text.slice(0, slash), protocol: protocol === "" ? "tcp" : parseProtocol(protocol) };
}

/** "80", "80/udp" or "8000-8010/tcp". Throws "invalid". */
export function parsePortRange(text: string): PortRange & { readonly protocol: Protocol } {
  const { ports, protocol } = splitProtocol(text);
  const range = parseRange(ports);
  if (range === undefined) throw new BockerError("invalid", `invalid port: ${text}`);
  return { ...range, protocol };
}

function parseHostIp(text: string, spec: string): string {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (bare === "") return "0.0.0.0";
  if (tryParseIpv4(bare) !== undefined) return bare;
  if (/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(%\w+)?$/.test(bare)) {
    throw new BockerError(
      "unsupported",
      `publishing on an IPv6 address is not supported yet: ${spec}; use an IPv4 address such as 127.0.0.1`,
    );
  }
  throw new BockerError("invalid", `invalid IP address: ${bare}`);
}

/** `published=8080,target=80,protocol=udp` in the short form. */
function toShortForm(spec: string): string {
  const values = new Map<string, string>();
  for (const part of spec.split(",")) {
    const equals = part.indexOf("=");
    if (equals < 0) {
      throw new BockerError(
        "invalid",
        `invalid publish opts format (should be name=value but got '${part}')`,
      );
    }
    values.set(part.slice(0, equals), part.slice(equals + 1));
  }
  const published = values.get("published") ?? "";
  return `${published}:${values.get("target") ?? ""}/${values.get("protocol") ?? "tcp"}`;
}

/**
 * One `-p` argument, ranges expanded: `8080:80`, `127.0.0.1:8080:80/udp`, `8000-8010:80-90`, `8000-8010:80`
 * (the first free host port), `80` and `127.0.0.1::80` (any free host port), `published=8080,target=80`.
 * Throws "invalid" with Docker's words, "unsupported" for IPv6.
 */
export function parsePublish(argument: string): PortRequest[] {
  const spec = argument.includes("=") ? toShortForm(argument) : argument;
  const parts = spec.split(":");
  const last = parts.pop() ?? "";
  const hostText = parts.pop() ?? "";
  const { ports, protocol } = splitProtocol(last);
  const hostIp = parseHostIp(parts.join(":"), argument);
  if (ports === "") throw new BockerError("invalid", `no port specified: ${argument}<empty>`);
  const container = parseRange(ports);
  if (container === undefined || container.first === 0) {
    throw new BockerError("invalid", `invalid containerPort: ${ports}`);
  }
  let host: PortRange = { first: 0, last: 0 };
  if (hostText !== "") {
    const range = parseRange(hostText);
    if (range === undefined) throw new BockerError("invalid", `invalid hostPort: ${hostText}`);
    host = range;
  }
  const count = container.last - container.first;
  const isFixed = host.first !== 0;
  if (isFixed && count !== host.last - host.first && count !== 0) {
    throw new BockerError(
      "invalid",
      `Invalid ranges specified for container and host Ports: ${ports} and ${hostText}`,
    );
  }
  return Array.from({ length: count + 1 }, (_, i) => ({
    protocol,
    containerPort: container.first + i,
    hostIp,
    hostPortFirst: isFixed ? host.first + i : 0,
    // One container port and many host ports: any of them.
    hostPortLast: !isFixed ? 0 : count === 0 ? host.last : host.first + i,
  }));
}

/** `--expose` and an image's EXPOSE: "80", "80/udp", "7000-7010/tcp". */
export function parseExposed(argument: string): { protocol: Protocol; port: number }[] {
  const { ports, protocol } = splitProtocol(argument);
  const range = parseRange(ports);
  if (range === undefined) {
    throw new BockerError("invalid", `invalid range format for --expose: ${argument}`);
  }
  return Array.from({ length: range.last - range.first + 1 }, (_, i) => ({
    protocol,
    port: range.first + i,
  }));
}
