/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, made at every start as Docker does. */
import { existsSync, readFileSync } from "node:fs";
import { hostnameFile, hostsFile, parseAddHost, resolvConfPath, resolvFile } from "../network/files.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths, type Paths } from "../state/paths.ts";
import type { FileStep } from "./steps.ts";

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

/** The files to write. Throws "invalid" for names and addresses that would add lines of their own. */
export function etcFiles(paths: Paths, record: ContainerRecord): FileStep[] {
  const files = containerPaths(paths, record.id);
  const { host } = record;
  const ownNetwork = host.networkMode !== "host";
  const overrides = { nameservers: host.dns, search: host.dnsSearch, options: host.dnsOptions };
  const file = (path: string, name: string, content: string, why: string): FileStep => ({
    step: "file",
    group: "network",
    what: `write ${path}`,
    why: `the container's ${name}: ${why}`,
    path,
    content,
    mode: 0o644,
  });
  return [
    file(files.hosts, "/etc/hosts", hosts(record), "its own name and those it was given"),
    file(files.hostname, "/etc/hostname", hostnameFile(record.config.hostname), "its name alone"),
    file(
      files.resolv,
      "/etc/resolv.conf",
      resolvFile(hostResolvConf(), overrides, { ownNetwork }),
      "the host's nameservers, as far as it can reach them",
    ),
  ];
}
