/**
 * bocker-classic: the nine verbs of "Docker in around 100 lines of bash" (2015), with their ids, tables,
 * messages, streams and exit codes, on today's engine. The script was the specification; none of its text
 * is here.
 */

import { BockerError, messageOf } from "../base/errors.ts";
import { formatReference, parseReference, withDefaultTag } from "../base/reference.ts";
import type { Started } from "../engine/await-started.ts";
import { commitContainer } from "../engine/commit.ts";
import { createContainer } from "../engine/create.ts";
import type { Engine } from "../engine/engine.ts";
import { execInContainer } from "../engine/exec.ts";
import { findImage } from "../engine/image.ts";
import { importPath } from "../engine/import.ts";
import { readLogs } from "../engine/logs.ts";
import { pullImage } from "../engine/pull.ts";
import { removeContainer } from "../engine/remove.ts";
import { freeLooseIndexes, namesOf, removeImage } from "../engine/remove-image.ts";
import { startContainer } from "../engine/start.ts";
import { isDirectory } from "../os/host-files.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { SettingsTable } from "../state/settings.ts";
import { readState } from "../state/status.ts";
import { callerStreams, stayAttached, withTerminal } from "./attached.ts";
import { CREATE_FLAGS } from "./container-flags.ts";
import { createRequest } from "./container-options.ts";
import { parseFlags } from "./flags.ts";
import { interruptible } from "./interruption.ts";
import { print, printError, visible, writeFully } from "./output.ts";

/** What the script prints on stdout before it exits with 1. */
class Refusal extends Error {}

const FIRST_NUMBER = 42002;
const DEFAULT_LIMIT = "512";
const MILLION = 1_000_000;
/** The script's `2>&1 | tee`: what the command writes stays in its order. */
const ONE_STREAM = 'exec /bin/sh -c "$0" 2>&1';
const NO_KEYS = new Uint8Array();

const tag = (name: string) => formatReference(withDefaultTag(parseReference(name)));
const sourceKey = (image: string) => `classic-source ${image}`;

/** One counter for images and containers, in the database: no two ever get the same. */
function newId(engine: Engine, prefix: "img" | "ps"): string {
  return engine.transaction(() => {
    const settings = new SettingsTable(engine.database);
    const number = Number(settings.get("classic-number") ?? FIRST_NUMBER);
    settings.set("classic-number", String(number + 1));
    return `${prefix}_${number}`;
  });
}

function container(engine: Engine, name: string): ContainerRecord {
  try {
    return engine.containers.find(name);
  } catch {
    throw new Refusal(`No container named '${name}' exists`);
  }
}

/** Images that only ended containers still needed, once the last of those is gone. */
function dropUnnamed(engine: Engine, id: string): void {
  if (!id.startsWith("sha256:") || engine.images.get(id) === undefined) return;
  if (namesOf(engine, id).tags.length === 0 && engine.containers.usingImage(id).length === 0)
    removeImage(engine, id, true, false);
}

async function init(engine: Engine, [directory = ""]: string[]): Promise<void> {
  if (!isDirectory(directory)) {
    print(`No directory named '${directory}' exists`);
    return;
  }
  const name = newId(engine, "img");
  const options = { name, execution: { Cmd: ["/bin/sh"] }, message: `Imported from ${directory}` };
  await interruptible((signal) => importPath(engine, directory, { ...options, signal }));
  new SettingsTable(engine.database).set(sourceKey(name), directory);
  print(`Created: ${name}`);
}

async function pull(engine: Engine, [name = "", version = ""]: string[]): Promise<void> {
  const reference = `${name}:${version}`;
  const pulled = await interruptible((signal) => pullImage(engine, reference, { signal })).catch((error) => {
    if (error instanceof BockerError && ["not-found", "denied", "invalid"].includes(error.code))
      throw new Refusal(`No image named '${reference}' exists`);
    throw error;
  });
  const id = newId(engine, "img");
  engine.transaction(() => {
    engine.images.setTag(tag(id), pulled.record.id);
    if (pulled.status === "Downloaded newer image") engine.images.deleteTag(tag(reference));
    new SettingsTable(engine.database).set(sourceKey(id), reference);
  });
  print(`Created: ${id}`);
}

async function images(engine: Engine): Promise<void> {
  print("IMAGE_ID\t\tSOURCE");
  const settings = new SettingsTable(engine.database);
  for (const { name } of engine.images.tags()) {
    const id = parseReference(name).path.replace(/^library\//, "");
    if (/^img_\d+$/.test(id)) print(`${id}\t\t${visible(settings.get(sourceKey(id)) ?? "")}`);
  }
}

/** What was given to /bin/sh -c, or a container's whole command line if bocker itself made it. */
function commandOf({ config }: ContainerRecord): string {
  const [, , script, words] = config.cmd;
  return script === ONE_STREAM && words !== undefined
    ? words
    : [...config.entrypoint, ...config.cmd].join(" ");
}

async function ps(engine: Engine): Promise<void> {
  print("CONTAINER_ID\t\tCOMMAND");
  for (const record of engine.containers.list().reverse())
    print(`${record.name}\t\t${visible(commandOf(record))}`);
}

function limit(name: "CPU_SHARE" | "MEM_LIMIT"): number {
  const text = process.env[`BOCKER_${name}`] ?? DEFAULT_LIMIT;
  if (!/^\d{1,9}$/.test(text))
    throw new BockerError("invalid", `BOCKER_${name} must be a number, not '${text}'`);
  return Number(text);
}

/** Starts a program with our input, and stays with it. Returns its exit code. */
async function attached(start: () => Promise<Started>): Promise<number> {
  const ended = await withTerminal({ tty: false, stdin: true, signals: true }, async (relay) =>
    stayAttached({ ...(await start()), tty: false, stdin: true, relay }),
  );
  return ended.type === "exited" ? ended.code : 1;
}

async function run(engine: Engine, [name = "", ...words]: string[]): Promise<void> {
  const image = findImage(engine, name);
  if (image === undefined) throw new Refusal(`No image named '${name}' exists`);
  const request = await createRequest(parseFlags(CREATE_FLAGS, ["-i", name], false), undefined);
  const host = { ...request.host, cpuShares: limit("CPU_SHARE"), memory: limit("MEM_LIMIT") * MILLION };
  const record = await createContainer(engine, {
    ...request,
    name: newId(engine, "ps"),
    image: { ...image, config: {} },
    command: ["/bin/sh", "-c", ONE_STREAM, words.join(" ")],
    host: { ...host, memorySwap: host.memory },
  });
  const streams = { ...callerStreams({ stdin: true, tty: false }), stderr: 1 };
  const options = { disposable: false, terminal: undefined, timings: false, detachKeys: NO_KEYS };
  // The script ends with 0 whatever the command did.
  await attached(() => startContainer(engine, record, streams, options));
}

async function exec(engine: Engine, [name = "", ...command]: string[]): Promise<number> {
  const record = container(engine, name);
  if (readState(engine.paths, record.id).status !== "running")
    throw new Refusal(`Container '${name}' exists but is not running`);
  const request = {
    command,
    env: [],
    user: undefined,
    workingDir: undefined,
    privileged: false,
    tty: false,
    stdin: true,
    terminal: undefined,
    detachKeys: NO_KEYS,
    timings: false,
  };
  return attached(() => execInContainer(engine, record, request, callerStreams({ stdin: true, tty: false })));
}

async function logs(engine: Engine, [name = ""]: string[]): Promise<void> {
  const query = { follow: false, tail: undefined, since: undefined, until: undefined };
  for await (const entries of readLogs(engine, container(engine, name), query))
    writeFully(1, entries.map(({ log }) => log).join(""));
}

async function commit(engine: Engine, [name = "", image = ""]: string[]): Promise<void> {
  const record = container(engine, name);
  const old = findImage(engine, image);
  if (old === undefined) throw new Refusal(`No image named '${image}' exists`);
  await interruptible((signal) =>
    commitContainer(engine, record, {
      name: image,
      author: "",
      message: "",
      changes: [],
      pause: true,
      signal,
    }),
  );
  dropUnnamed(engine, old.id);
  print(`Removed: ${image}`);
  print(`Created: ${image}`);
}

async function rm(engine: Engine, [name = ""]: string[]): Promise<void> {
  const image = /^img_/.test(name) ? engine.images.byTag(tag(name)) : undefined;
  if (image !== undefined) {
    engine.images.deleteTag(tag(name));
    new SettingsTable(engine.database).delete(sourceKey(name));
    freeLooseIndexes(engine);
    dropUnnamed(engine, image.id);
  } else {
    const record = container(engine, name);
    await removeContainer(engine, record, { force: true, volumes: true });
    dropUnnamed(engine, record.imageId);
  }
  print(`Removed: ${name}`);
}

type Verb = (engine: Engine, words: string[]) => Promise<unknown>;

const VERBS: Record<string, { verb: Verb; words: number; usage: string; what: string }> = {
  init: { verb: init, words: 1, usage: "init <directory>", what: "Make an image of a directory" },
  pull: { verb: pull, words: 2, usage: "pull <name> <tag>", what: "Fetch an image from a registry" },
  rm: { verb: rm, words: 1, usage: "rm <image_id or container_id>", what: "Remove an image or a container" },
  images: { verb: images, words: 0, usage: "images", what: "Show the images" },
  ps: { verb: ps, words: 0, usage: "ps", what: "Show the containers" },
  run: { verb: run, words: 2, usage: "run <image_id> <command>", what: "Run a command in a new container" },
  exec: {
    verb: exec,
    words: 2,
    usage: "exec <container_id> <command>",
    what: "Run another command in a container",
  },
  logs: { verb: logs, words: 1, usage: "logs <container_id>", what: "Show what a container wrote" },
  commit: {
    verb: commit,
    words: 2,
    usage: "commit <container_id> <image_id>",
    what: "Make a container's files the image",
  },
};

function help(): number {
  for (const { what, usage } of Object.values(VERBS)) print(`${what}:\n\tbocker-classic ${usage}\n`);
  return 0;
}

/** --cpu_share=N and --mem_limit=N before the verb; the rest. */
function takeOptions(words: string[]): string[] {
  const rest = [...words];
  while (rest[0]?.startsWith("--") === true) {
    const [, name = "", value = ""] = /^--([a-z_]+)=(.*)$/.exec(rest.shift()!) ?? [];
    if (name !== "cpu_share" && name !== "mem_limit")
      throw new BockerError("usage", "the options are --cpu_share=N and --mem_limit=N");
    process.env[`BOCKER_${name.toUpperCase()}`] = value;
  }
  return rest;
}

/** Runs one command line of classic mode. Returns its exit code. */
export async function classic(words: string[], makeEngine: () => Promise<Engine>): Promise<number> {
  try {
    const engine = await makeEngine();
    const [name = "", ...rest] = takeOptions(words);
    const entry = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
    if (entry === undefined) return help();
    if (rest.length < entry.words) {
      printError(`bocker-classic: ${entry.what}:\n\tbocker-classic ${entry.usage}`);
      return 1;
    }
    engine.database;
    const code = await entry.verb(engine, rest);
    return typeof code === "number" ? code : 0;
  } catch (error) {
    if (error instanceof Refusal) print(visible(error.message));
    else printError(`bocker-classic: ${visible(messageOf(error))}`);
    return 1;
  }
}
