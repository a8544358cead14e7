/** `--change` of commit and import: Dockerfile instructions that only set how the image runs. */
import { BockerError } from "../base/errors.ts";
import type { ExecutionConfig } from "../spec/image-config.ts";

type Instruction = (config: ExecutionConfig, rest: string) => void;

/** ["a", "b"] as words; anything else is a line for the shell. */
function commandOf(rest: string): string[] {
  if (rest.startsWith("[")) {
    try {
      const words: unknown = JSON.parse(rest);
      if (Array.isArray(words) && words.every((word) => typeof word === "string")) return words;
    } catch {
      // Docker, too, takes what is no JSON for a shell's line.
    }
  }
  return ["/bin/sh", "-c", rest];
}

/** KEY=VALUE words, values perhaps quoted; or the old form KEY VALUE. */
function pairs(rest: string, instruction: string): [string, string][] {
  const old = /^([^\s="']+)\s+(.*)$/s.exec(rest);
  if (old !== null) return [[old[1]!, old[2]!]];
  const found: [string, string][] = [];
  const word = /\s*([^\s=]+)=((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])*)/gy;
  let end = 0;
  for (let match = word.exec(rest); match !== null; match = word.exec(rest)) {
    found.push([
      match[1]!.replace(/^["'](.*)["']$/s, "$1"),
      match[2]!.replace(
        /"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/gs,
        (_, double?: string, single?: string, escaped?: string) =>
          double?.replace(/\\(.)/gs, "$1") ?? single ?? escaped ?? "",
      ),
    ]);
    end = word.lastIndex;
  }
  if (found.length === 0 || rest.slice(end).trim() !== "")
    throw new BockerError("invalid", `${instruction} must have the form KEY=VALUE: ${rest}`);
  return found;
}

function words(rest: string): string[] {
  return rest.startsWith("[") ? commandOf(rest) : rest.split(/\s+/);
}

const INSTRUCTIONS: Record<string, Instruction> = {
  CMD: (config, rest) => {
    config.Cmd = commandOf(rest);
  },
  ENTRYPOINT: (config, rest) => {
    config.Entrypoint = commandOf(rest);
    // A new entrypoint takes the old command with it.
    config.Cmd = null;
  },
  ENV: (config, rest) => {
    const values = new Map((config.Env ?? []).map((entry) => [entry.split("=", 1)[0]!, entry]));
    for (const [key, value] of pairs(rest, "ENV")) values.set(key, `${key}=${value}`);
    config.Env = [...values.values()];
  },
  EXPOSE: (config, rest) => {
    config.ExposedPorts = { ...config.ExposedPorts };
    for (const word of words(rest)) {
      const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(word);
      if (match === null) throw new BockerError("invalid", `Invalid containerPort: ${word}`);
      for (let port = Number(match[1]); port <= Number(match[2] ?? match[1]); port++)
        config.ExposedPorts[`${port}/${match[3] ?? "tcp"}`] = {};
    }
  },
  LABEL: (config, rest) => {
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairs(rest, "LABEL")) };
  },
  STOPSIGNAL: (config, rest) => {
    config.StopSignal = rest;
  },
  USER: (config, rest) => {
    config.User = rest;
  },
  VOLUME: (config, rest) => {
    config.Volumes = { ...config.Volumes };
    for (const word of words(rest)) config.Volumes[word] = {};
  },
  WORKDIR: (config, rest) => {
    config.WorkingDir = rest.startsWith("/") ? rest : `${config.WorkingDir ?? ""}/${rest}`;
  },
};

/** `config` with the instructions carried out in order. Throws "invalid" for others and malformed ones. */
export function applyChanges(config: ExecutionConfig, changes: string[]): ExecutionConfig {
  const result = structuredClone(config);
  for (const change of changes) {
    const [, name = "", rest = ""] = /^\s*([A-Za-z]+)\s+(.*\S)\s*$/s.exec(change) ?? [];
    const instruction = INSTRUCTIONS[name.toUpperCase()];
    if (instruction === undefined)
      throw new BockerError("invalid", `${name.toLowerCase() || change} is not a valid change command`);
    instruction(result, rest);
  }
  return result;
}
