/** What the probe says, as facts that two engines can be compared by: without ids, addresses and paths of one run. */
export type Facts = Map<string, string>;

/** A fact's name: its group, and what it is about. */
export function factName(group: string, key: string): string {
  return `${group}\t${key}`;
}

export function groupOf(name: string): string {
  return name.slice(0, name.indexOf("\t"));
}

export function keyOf(name: string): string {
  return name.slice(name.indexOf("\t") + 1);
}

/** [what differs by nature, what stands for it], applied to every key and value, in this order. */
const BY_NATURE: readonly (readonly [RegExp, string])[] = [
  [/\b(lowerdir\+?|upperdir|workdir)=[^,]*/g, "$1=PATH"],
  [/ -> \d+(\/task\/\d+)?$/g, " -> its own"],
  [/[0-9a-f]{64}/g, "ID"],
  [/\bmaster:\d+/g, "master"],
  [/autogroup-\d+/g, "autogroup"],
  [/\b(?!00:00:00:00:00:00)(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, "MAC"],
  [/\b(pipe|socket|anon_inode):\[\d+\]/g, "$1"],
  // The words by which the probe knows the machine's namespaces.
  [/( \w+:\[\d+\])+/g, " NAMESPACES"],
  // Each engine's parent cgroup has its name, and lies below what the engine sees as the top.
  [/(?:\/[\w.:-]+)*\/(?:docker|bocker)\/ID/g, "/ENGINE/ID"],
  [/\S*\/(\w+-\d+|data|docker|bocker)\/containers\/ID\//g, "ENGINE/"],
  [/\S*\/volumes\/[\w-]+\/_data/g, "VOLUME"],
  [/\b(?!0\.0\.0\.0|127\.)(?:\d{1,3}\.){3}\d{1,3}\b/g, "ADDRESS"],
];

/** /proc/net/route by columns that mean something: interface, whether there is a gateway, flags, mask. */
function routes(text: string): string {
  return text
    .split("\n")
    .slice(1)
    .map((line) => {
      const [name, destination, gateway, flags, , , , mask] = line.trim().split(/\s+/);
      const to = destination === "00000000" ? "default" : "network";
      return `${name} ${to} ${gateway === "00000000" ? "direct" : "gateway"} flags ${flags} mask ${mask}`;
    })
    .join(", ");
}

const VIRTUAL = new Set(["proc", "sysfs", "tmpfs", "devpts", "mqueue"]);

/** What a mount has from the machine: the disk's options, and the names by which it has mounted its cgroups. */
function withoutTheMachines(facts: Facts): void {
  for (const name of facts.keys()) {
    const [, target, what] = /^mounts\t(.*) (super options|source)$/.exec(name) ?? [];
    const type = facts.get(factName("mounts", `${target} type`));
    if (type === undefined || VIRTUAL.has(type)) continue;
    const isOwn = (type === "overlay" || type.startsWith("cgroup")) && what === "super options";
    if (!isOwn && type !== "overlay") facts.set(name, "the machine's");
  }
}

/**
 * The probe's output, made comparable. Of mounts and addresses that come twice the second is "#2".
 * @param directory of the run: "DIRECTORY" stands for it
 */
export function parseFacts(text: string, directory: string): Facts {
  const facts: Facts = new Map();
  const lines = text
    .replaceAll("\r", "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t"));
  const hostname = lines.find(([group, key]) => group === "names" && key === "hostname")?.[2] ?? "";
  const comparable = (value: string) => {
    let result = value.replaceAll("\\n", "\n").replaceAll(directory, "DIRECTORY");
    for (const [pattern, replacement] of BY_NATURE) result = result.replace(pattern, replacement);
    return /^[0-9a-f]{12}$/.test(hostname) ? result.replaceAll(hostname, "HOSTNAME") : result;
  };
  const order: string[] = [];
  for (const [group = "", rawKey = "", ...rest] of lines) {
    const key = comparable(rawKey);
    let value = comparable(rest.join(" "));
    if (group === "network" && key === "routes") value = routes(value);
    // /proc/self/cgroup: keys without a slash are hierarchies.
    if (group === "cgroup" && !key.includes("/") && value !== "/ENGINE/ID") value = "not of its own";
    if (group === "devices") {
      for (const rule of value.split("\n")) facts.set(factName(group, `${key} ${rule}`), "allowed");
      continue;
    }
    let name = factName(group, key);
    for (let count = 2; facts.has(name); count++) name = factName(group, `${key} #${count}`);
    facts.set(name, value);
    // cgroup hierarchies come in the order in which the machine has mounted them.
    if (group === "mounts" && / type$/.test(key) && !key.startsWith("/sys/fs/cgroup/"))
      order.push(key.slice(0, -" type".length));
  }
  if (facts.size < 1000) throw new Error(`the probe said too little: ${text.slice(0, 1000)}`);
  facts.set(factName("mounts", "order"), order.join(" "));
  withoutTheMachines(facts);
  return facts;
}
