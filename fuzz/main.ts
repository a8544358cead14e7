/**
 * The mutation fuzzer of the TypeScript side: `bun fuzz/main.ts TARGET SECONDS SEED CRASHES`. Prints one line of JSON.
 * `npm run fuzz` calls it for every target.
 *
 * An input that goes a way that none before it went is kept, to be mutated further. One that takes too long ends the
 * fuzzer: a second thread watches.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { digestHex, digestOf } from "../src/base/digest.ts";
import { mutated, Random } from "./mutate.ts";
import { Finding, outcome, type Target } from "./target.ts";
import { TARGETS } from "./targets.ts";

/** Milliseconds of a processor that an input may take. */
const LIMIT_MS = 1500;
/** An input that has not come to an end by then never will: this machine may be busy with others meanwhile. */
const STUCK_MS = 10_000;
const KEPT_MAX = 2000;
const INPUT_MAX = 64 * 1024;

export interface FuzzResult {
  target: string;
  executions: number;
  /** Inputs that went a new way. */
  found: number;
  crash?: string;
  message?: string;
}

function corpusOf(target: Target): Buffer[] {
  const directory = join(import.meta.dirname, "corpus", target.name);
  let names: string[] = [];
  try {
    names = readdirSync(directory).sort();
  } catch {
    // None is kept for this one.
  }
  return [
    ...target.seeds.map((seed) => Buffer.from(seed as string)),
    ...names.map((name) => readFileSync(join(directory, name))),
  ];
}

/** Where the thread that watches finds the input that is being read: [executions, size], bytes. */
class Watched {
  readonly #shared = new SharedArrayBuffer(8 + INPUT_MAX);
  readonly #numbers = new Int32Array(this.#shared, 0, 2);
  readonly #bytes = Buffer.from(this.#shared, 8);
  readonly worker: Worker;

  constructor(path: string, result: Omit<FuzzResult, "executions" | "found">) {
    this.worker = new Worker(new URL("watch.ts", import.meta.url), {
      workerData: { shared: this.#shared, path, result, limit: STUCK_MS },
    });
  }

  begin(input: Buffer): void {
    input.copy(this.#bytes);
    this.#numbers[1] = input.length;
    Atomics.add(this.#numbers, 0, 1);
  }
}

/** Reads inputs until the time is up or something is found. */
function fuzz(target: Target, seconds: number, seed: number, crashes: string): FuzzResult {
  const path = join(crashes, target.name);
  const watched = new Watched(`${path}-hang`, {
    target: target.name,
    crash: `${path}-hang`,
    message: "takes too long",
  });
  const random = new Random(seed);
  const corpus = corpusOf(target);
  const ways = new Set<string>();
  const end = performance.now() + seconds * 1000;
  const result: FuzzResult = { target: target.name, executions: 0, found: 0 };
  const read = (input: Buffer) => {
    result.executions++;
    watched.begin(input);
    const before = process.cpuUsage();
    const way = outcome(target, input);
    const { user, system } = process.cpuUsage(before);
    if (user + system > LIMIT_MS * 1000) throw new Finding(`takes ${Math.round((user + system) / 1000)} ms`);
    if (ways.has(way)) return;
    ways.add(way);
    if (result.executions > corpus.length && corpus.length < KEPT_MAX) {
      corpus.push(input);
      result.found++;
    }
  };
  let input: Buffer = Buffer.alloc(0);
  try {
    for (input of [...corpus]) read(input);
    while (performance.now() < end) {
      input = mutated(random.pick(corpus), random, random.pick(corpus));
      if (target.repair !== undefined && random.below(4) > 0) input = target.repair(input);
      read(input);
    }
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    result.crash = `${path}-${digestHex(digestOf(input)).slice(0, 12)}`;
    result.message = error.message;
    mkdirSync(crashes, { recursive: true });
    writeFileSync(result.crash, input);
  } finally {
    target.close?.();
    watched.worker.terminate();
  }
  return result;
}

const [name = "", seconds = "", seed = "", crashes = ""] = process.argv.slice(2);
const target = TARGETS.find((one) => one.name === name);
if (target === undefined) throw new Error(`no such target: ${name}`);
process.stdout.write(`${JSON.stringify(fuzz(target, Number(seconds), Number(seed), crashes))}\n`);
process.exit(0);
