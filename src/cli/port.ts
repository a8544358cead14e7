/** `bocker port` */
import { BockerError } from "../base/errors.ts";
import { parsePortRange } from "../network/ports.ts";
import { readState } from "../state/status.ts";
import type { Command } from "./command.ts";
import { print } from "./output.ts";

/** "80" or "80/udp" as "80/tcp" or "80/udp". */
function portName(text: string): string {
  const { first, last, protocol } = parsePortRange(text);
  if (first !== last) throw new BockerError("invalid", `invalid port: ${text}`);
  return `${first}/${protocol}`;
}

export const portCommand: Command = {
  name: "port",
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  summary: "List port mappings or a specific mapping for the container",
  flags: [],
  repair: "boot",
  words: { least: 1, most: 2 },
  async run(values, engine) {
    const [word = "", port] = values.positional;
    const wanted = port === undefined ? undefined : portName(port);
    const record = engine.containers.find(word);
    const isRunning = readState(engine.paths, record.id).status === "running";
    const lines = ((isRunning ? record.attachment?.published : undefined) ?? []).flatMap((published) => {
      const name = `${published.containerPort}/${published.protocol}`;
      const place = `${published.hostIp}:${published.hostPort}`;
      if (wanted === undefined) return [`${name} -> ${place}`];
      return name === wanted ? [place] : [];
    });
    if (wanted !== undefined && lines.length === 0)
      throw new BockerError("not-found", `no public port '${wanted}' published for ${word}`);
    const { compare } = new Intl.Collator("en", { numeric: true });
    for (const line of lines.sort(compare)) print(line);
    return 0;
  },
};
