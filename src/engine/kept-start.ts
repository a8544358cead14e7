/**
 * The plan of a start, kept for starts like it. Two containers with the same settings on the same machine differ in
 * their id, their program, their network and what is told of them; everything else of their plans is the same bytes, which take longer to
 * decide than to read.
 *
 * A kept plan holds for equal settings (the key, compared in full) and as long as the machine answers every question
 * that was asked when it was decided as it did then (os/facts.ts). It never outlives a boot.
 */
import { ID_LENGTH, shortId } from "../base/ids.ts";
import type { MonitorPlace } from "../cgroup/monitors.ts";
import { type Answer, stillTrue } from "../os/facts.ts";
import { listNames, makeDirectories, readBytes, removeTree, rename, writeFile } from "../os/host-files.ts";
import { quickHash } from "../os/quick-hash.ts";
import { processEnvironment } from "../runtime/generate/environment.ts";
import { encodeOperations } from "../runtime/plan/encode.ts";
import { execOperation } from "../runtime/plan/exec.ts";
import { meetingOperations } from "../runtime/plan/network.ts";
import type { Plan } from "../runtime/plan/operation.ts";
import { type ContainerRecord, isAnonymous } from "../spec/container.ts";
import type { RuntimeSpec } from "../spec/runtime.ts";
import { monitorEvents } from "./container-events.ts";
import type { Engine } from "./engine.ts";
import type { FreshStart } from "./fresh-start.ts";
import type { NetworkPlan } from "./network.ts";
import type { Rest, StartOptions, StartSource } from "./start-source.ts";
import type { FileStep, WriteStep } from "./steps.ts";

/** More are all thrown away: whoever starts so many kinds of containers starts few of each. */
const MOST = 64;
const LENGTH_BYTES = 4;

/** What is kept besides the plan's bytes. In it, as in them, the id is that of the container it was decided for. */
interface Kept {
  key: string;
  answers: Answer[];
  place: MonitorPlace;
  files: FileStep[];
  config: WriteStep;
  /** The user's, as far as the environment has it. */
  home: string;
  /** How long the parts of the plan are, in bytes. */
  beginning: number;
  settled: number;
  last: number;
  /** Where the id is among them, and how much of it. */
  marks: [at: number, length: number][];
}

function directory(engine: Engine): string {
  return `${engine.paths.run}/plans`;
}

/** The settings that a plan depends on; undefined for containers whose plans are not kept. */
function keyOf(engine: Engine, record: ContainerRecord, options: StartOptions): string | undefined {
  const { host, config, mounts } = record;
  if (engine.build === undefined || engine.dry) return undefined;
  // These depend on what is not asked about: the machine's devices, another container, a name made for this one.
  if (host.privileged || host.networkMode.startsWith("container:")) return undefined;
  if (mounts.some(isAnonymous)) return undefined;
  const { disposable, terminal, timings, detachKeys } = options;
  const { user, tty, openStdin, stdinOnce, domainname, workingDir } = config;
  const hostname = config.hostname === shortId(record.id) ? "" : config.hostname;
  return JSON.stringify([
    [engine.build, engine.self, engine.paths.data, engine.paths.run],
    [disposable, terminal, timings, [...detachKeys]],
    [user, tty, openStdin, stdinOnce, domainname, workingDir, hostname],
    [record.layers, mounts, { ...host, ports: [] }],
  ]);
}

/** Another container's id, and the twelve digits of it that are a host name, in place of this one's. */
function renamed(text: string, from: string, to: string): string {
  return text.replaceAll(from, to).replaceAll(shortId(from), shortId(to));
}

class KeptStart implements StartSource {
  readonly steps = [];
  readonly #kept: Kept;
  readonly #plan: Buffer;
  readonly #engine: Engine;
  readonly #record: ContainerRecord;
  readonly #options: StartOptions;

  constructor(
    engine: Engine,
    record: ContainerRecord,
    options: StartOptions,
    { kept, plan }: { kept: Kept; plan: Buffer },
  ) {
    this.#engine = engine;
    this.#record = record;
    this.#options = options;
    this.#kept = kept;
    this.#plan = plan;
  }

  get files(): readonly FileStep[] {
    return this.#kept.files;
  }

  get place(): MonitorPlace {
    return this.#kept.place;
  }

  beginning(): Uint8Array {
    return this.#plan.subarray(0, this.#kept.beginning);
  }

  async rest(network: NetworkPlan): Promise<Rest> {
    const { config } = this.#record;
    const { beginning, settled, last, home } = this.#kept;
    const { hostAfter, container, hostReady, cleanup } = meetingOperations(network.operations);
    const args = [...config.entrypoint, ...config.cmd];
    const env = processEnvironment(config.env, { hostname: config.hostname, home, tty: config.tty });
    const events = monitorEvents(this.#engine, this.#record);
    const bytes = Buffer.concat([
      encodeOperations(hostAfter),
      this.#plan.subarray(beginning, beginning + settled),
      encodeOperations([...container, ...hostReady]),
      this.#plan.subarray(beginning + settled, beginning + settled + last),
      encodeOperations([execOperation(args, env), ...events, ...cleanup]),
    ]);
    return { bytes, files: [...(await this.#addressedFiles()), this.#configFile(args, env)] };
  }

  #configFile(args: string[], env: string[]): FileStep {
    const spec = JSON.parse(this.#kept.config.content) as RuntimeSpec;
    Object.assign(spec.process, { args, env });
    return { ...this.#kept.config, content: JSON.stringify(spec) };
  }

  async #addressedFiles(): Promise<FileStep[]> {
    if (this.#record.attachment === undefined) return [];
    const { addressedFiles } = await import("./etc-files.ts");
    return addressedFiles(this.#engine.paths, this.#record);
  }

  async plan(network: NetworkPlan): Promise<Plan> {
    const { FreshStart, untouchedLayers } = await import("./fresh-start.ts");
    const layers = untouchedLayers(this.#record);
    const fresh = await FreshStart.decide(this.#engine, this.#record, layers, this.#options);
    return fresh.plan(network);
  }
}

function parse(bytes: Buffer, id: string): { kept: Kept; plan: Buffer } {
  const from = bytes.toString("latin1", 0, ID_LENGTH);
  const start = ID_LENGTH + LENGTH_BYTES;
  const end = start + bytes.readUInt32LE(ID_LENGTH);
  const kept = JSON.parse(renamed(bytes.toString("utf8", start, end), from, id)) as Kept;
  const plan = bytes.subarray(end);
  if (plan.length !== kept.beginning + kept.settled + kept.last) throw new RangeError("cut short");
  for (const [at, length] of kept.marks) plan.write(id.slice(0, length), at, "latin1");
  return { kept, plan };
}

/** The start of a container that has written nothing yet, as it was decided for one like it. */
export function keptStart(
  engine: Engine,
  record: ContainerRecord,
  options: StartOptions,
): StartSource | undefined {
  const key = keyOf(engine, record, options);
  if (key === undefined) return undefined;
  try {
    const found = parse(readBytes(`${directory(engine)}/${quickHash(key)}`), record.id);
    if (found.kept.key !== key || !stillTrue(found.kept.answers)) return undefined;
    return new KeptStart(engine, record, options, found);
  } catch {
    // Mostly there is none. One that cannot be read is written anew.
    return undefined;
  }
}

/** Where an id, or its first twelve digits, are in bytes. */
function marksOf(bytes: Buffer, id: string): [number, number][] {
  const marks: [number, number][] = [];
  const short = shortId(id);
  for (let at = bytes.indexOf(short); at >= 0; at = bytes.indexOf(short, at + 1)) {
    const whole = bytes.toString("latin1", at, at + ID_LENGTH) === id;
    marks.push([at, whole ? ID_LENGTH : short.length]);
  }
  return marks;
}

/** Keeps a start that has worked. */
export async function keepStart(
  engine: Engine,
  record: ContainerRecord,
  options: StartOptions,
  fresh: FreshStart,
): Promise<void> {
  const key = keyOf(engine, record, options);
  if (key === undefined || fresh.steps.length > 0) return;
  const { settled, last, config, user } = await fresh.decideRest();
  const parts = [fresh.beginning(), encodeOperations(settled), encodeOperations(last)] as const;
  const plan = Buffer.concat(parts);
  const kept: Kept = {
    key,
    answers: fresh.facts.answers(),
    place: fresh.place,
    files: [...fresh.files],
    config,
    home: user.home,
    beginning: parts[0].length,
    settled: parts[1].length,
    last: parts[2].length,
    marks: marksOf(plan, record.id),
  };
  const text = Buffer.from(JSON.stringify(kept), "utf8");
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(text.length);
  makeDirectories(directory(engine), 0o700);
  if (listNames(directory(engine)).length > MOST) forgetKeptStarts(engine);
  makeDirectories(directory(engine), 0o700);
  const path = `${directory(engine)}/${quickHash(key)}`;
  writeFile(`${path}.${process.pid}`, Buffer.concat([Buffer.from(record.id), length, text, plan]));
  rename(`${path}.${process.pid}`, path);
}

/** After a boot: kernels differ. */
export function forgetKeptStarts(engine: Engine): void {
  removeTree(directory(engine));
}
