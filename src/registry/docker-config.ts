/** Docker's client configuration: $DOCKER_CONFIG/config.json, else ~/.docker/config.json. */
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { BockerError } from "../base/errors.ts";
import { makeDirectories, readText, rename, writeFile } from "../os/host-files.ts";

export type DockerConfig = Record<string, unknown>;

/** Where the file is, by the environment. */
export function dockerConfigPath(environment: NodeJS.ProcessEnv): string {
  const directory = environment["DOCKER_CONFIG"];
  return join(
    directory === undefined || directory === "" ? join(homedir(), ".docker") : directory,
    "config.json",
  );
}

/** Undefined where there is none. Throws BockerError("invalid") for a file that cannot be understood. */
export function readDockerConfig(path: string): DockerConfig | undefined {
  let text: string;
  try {
    text = readText(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return undefined;
    throw error;
  }
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === "object" && document !== null && !Array.isArray(document))
      return document as DockerConfig;
  } catch {
    // Reported below: the parser's own message would show a piece of the file.
  }
  throw new BockerError("invalid", `${path} is not valid JSON`);
}

/** An object member; an empty one where there is none. */
export function objectIn(config: DockerConfig | undefined, name: string): Record<string, unknown> {
  const member = config !== undefined && Object.hasOwn(config, name) ? config[name] : undefined;
  return typeof member === "object" && member !== null && !Array.isArray(member)
    ? (member as Record<string, unknown>)
    : {};
}

/** Writes it whole or not at all, for its owner only; what bocker does not know of stays. */
export function writeDockerConfig(path: string, config: DockerConfig): void {
  makeDirectories(dirname(path), 0o700);
  const temporary = `${path}.${process.pid}.tmp`;
  writeFile(temporary, `${JSON.stringify(config, undefined, "\t")}\n`, { mode: 0o600, durable: true });
  rename(temporary, path);
}
