/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, made at every start as Docker does. */

import { hostnameFile, hostsText, parseAddHost, resolvConfPath, resolvFile } from "../network/files.ts";
import { readTextIfExists } from "../os/host-files.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { containerPaths, type Paths } from "../state/paths.ts";
import type { FileStep } from "./steps.ts";

/** A file of the host's; undefined where there is none. */
type Read = (path: string) => string | undefined;

function hostResolvConf(read: Read): string {
  const own = read("/etc/resolv.conf") ?? "";
  const path = resolvConfPath(own);
  return path === "/etc/resolv.conf" ? own : read(path) || own;
}

function hosts(record: ContainerRecord, read: Read): string {
  const { host, config, attachment } = record;
  const extra = host.extraHosts.map((entry) => parseAddHost(entry, attachment?.gateway ?? "127.0.0.1"));
  const hostsOwn = host.networkMode === "host" && extra.length === 0 ? read("/etc/hosts") : undefined;
  if (hostsOwn !== undefined) return hostsOwn;
  return hostsText({
    extra,
    ...(attachment === undefined
      ? {}
      : { own: { address: attachment.address, hostname: config.hostname, domainname: config.domainname } }),
  });
}

function etcFile(path: string, name: string, content: string, why: string): FileStep {
  const reason = `the container's ${name}: ${why}`;
  return { step: "file", group: "network", what: `write ${path}`, why: reason, path, content, mode: 0o644 };
}

/** /etc/hosts, with the container's own address if it has got one. */
function hostsFile(paths: Paths, record: ContainerRecord, read: Read = readTextIfExists): FileStep {
  const { hosts: path } = containerPaths(paths, record.id);
  return etcFile(path, "/etc/hosts", hosts(record, read), "its own name and those it was given");
}

/** The files to write. Throws "invalid" for names and addresses that would add lines of their own. */
export function etcFiles(paths: Paths, record: ContainerRecord, read: Read): FileStep[] {
  const files = containerPaths(paths, record.id);
  const { host } = record;
  const ownNetwork = host.networkMode !== "host";
  const overrides = { nameservers: host.dns, search: host.dnsSearch, options: host.dnsOptions };
  return [
    hostsFile(paths, record, read),
    etcFile(
      files.hostname,
      "/etc/hostname",
      hostnameFile(record.config.hostname, record.config.domainname),
      "its name alone",
    ),
    etcFile(
      files.resolv,
      "/etc/resolv.conf",
      resolvFile(hostResolvConf(read), overrides, { ownNetwork }),
      "the host's nameservers, as far as it can reach them",
    ),
  ];
}

/** What has the container's address in it, which is known only after the launcher has begun. */
export function addressedFiles(paths: Paths, record: ContainerRecord): FileStep[] {
  return [hostsFile(paths, record)];
}
