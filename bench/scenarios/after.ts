/** What comes after a start: the cleaning that nobody waits for, and how often a second it can all be done. */
import { addRow, type Bench, IMAGE, longRounds } from "../bench.ts";
import type { Engine } from "../engines.ts";
import { addSample } from "../measurement.ts";
import { interfaces, pids } from "../processes.ts";
import { run, timed } from "../program.ts";
import { FULL } from "./start.ts";

/** Milliseconds. */
const RATE_TIME = 5000;
const GIVE_UP = 10_000;

/** Milliseconds until no process and no interface is left that was not there before. */
async function quiet(before: Set<number>, links: number, from: number): Promise<number> {
  for (;;) {
    const left = pids().some((pid) => !before.has(pid)) || interfaces() > links;
    const took = performance.now() - from;
    if (!left) return took;
    if (took > GIVE_UP) throw new Error("something stays after run --rm");
    await Bun.sleep(0.5);
  }
}

function rateOf(bench: Bench, { cli }: Engine): number {
  const until = RATE_TIME * Math.min(1, bench.options.scale);
  // A shell's loop, as a script has it; it counts how often it came round.
  const loop =
    'end=$1; shift; n=0; while [ "$(date +%s%3N)" -lt "$end" ]; do for i in 1 2 3 4 5; do "$@" || exit 1; done; n=$((n+5)); done; echo $n';
  const from = performance.now();
  const words = [
    "sh",
    "-c",
    loop,
    "sh",
    String(Date.now() + until),
    ...cli,
    "run",
    "--rm",
    ...FULL,
    IMAGE,
    "true",
  ];
  const count = Number(run(words).trim().split("\n").at(-1));
  return (count * 1000) / (performance.now() - from);
}

export async function after(bench: Bench): Promise<void> {
  const returned = addRow(
    bench,
    "after",
    "full: returned",
    "run --rm with bridge, port, volume and limits returns",
  );
  const silent = addRow(
    bench,
    "after",
    "full: quiet",
    "the same: nothing of it is left, neither process nor interface",
  );
  for (let round = 0; round < longRounds(bench); round++)
    for (const engine of bench.engines) {
      await Bun.sleep(300);
      const [before, links] = [new Set(pids()), interfaces()];
      const from = performance.now();
      addSample(returned, engine.name, timed([...engine.cli, "run", "--rm", ...FULL, IMAGE, "true"]));
      addSample(silent, engine.name, await quiet(before, links, from));
    }
  const rate = addRow(
    bench,
    "after",
    "rate",
    "one after the other for 5 seconds, from a shell's loop",
    "per second",
  );
  for (const engine of bench.engines) addSample(rate, engine.name, rateOf(bench, engine));
}
