/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, made at every start as Docker does. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { hostnameFile, hostsFile, parseAddHost, resolvConfPath, resolvFile } from "../network/files.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths } from "../state/paths.ts";
import type { Engine } from "./engine.ts";

function hostResolvConf(): string {
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");
  const own = read("/etc/resolv.conf");
  const path = resolvConfPath(own);
  return path === "/etc/resolv.conf" ? own : read(path) || own;
}

function hosts(record: ContainerRecord): string {
  const { host, config, attachment } = record;
  const extra = host.extraHosts.map((entry) => parseAddHost(entry, attachment?.gateway ?? "127.0.0.1"));
  if (host.networkMode === "host" && extra.length === 0 && existsSync("/etc/hosts"))
    return readFileSync("/etc/hosts", "utf8");
  return hostsFile({
    extra,
    ...(attachment === undefined
      ? {}
      : { own: { address: attachment.address, hostname: config.hostname, domainname: config.domainname } }),
  });
}

/** Throws "invalid" for names and addresses that would add lines of their own. */
export function writeEtcFiles(engine: Engine, record: ContainerRecord): void {
  const files = containerPaths(engine.paths, record.id);
  const { host } = record;
  const ownNetwork = host.networkMode !== "host";
  const overrides = { nameservers: host.dns, search: host.dnsSearch, options: host.dnsOptions };
  for (const [path, content] of [
    [files.hosts, hosts(record)],
    [files.hostname, hostnameFile(record.config.hostname)],
    [files.resolv, resolvFile(hostResolvConf(), overrides, { ownNetwork })],
  ] as const)
    writeFileSync(path, content, { mode: 0o644 });
}
