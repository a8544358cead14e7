/** The first answer through a published port: a bridge that learns slowly makes it wait for a second. */
import { addRow, type Bench, IMAGE, longRounds, scaled } from "../bench.ts";
import type { Engine } from "../engines.ts";
import { addSample } from "../measurement.ts";
import { run, start } from "../program.ts";

/** Milliseconds: a SYN that is lost, and the question for an address, are sent again after 1000. */
const STALL = 200;
const GIVE_UP = 10_000;

/** Milliseconds from the start of `run -d` to the first answer. */
async function firstAnswer({ cli, remove }: Engine, port: number): Promise<number> {
  const name = `bench-http-${port}`;
  const server = ["httpd", "-f", "-p", "80", "-h", "/bin"];
  const from = performance.now();
  const started = start([
    ...cli,
    "run",
    "-d",
    "--name",
    name,
    "-p",
    `127.0.0.1:${port}:80`,
    IMAGE,
    ...server,
  ]);
  let failure: unknown;
  started.catch((error: unknown) => {
    failure = error;
  });
  for (;;) {
    if (failure !== undefined) throw failure;
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { keepalive: false });
      await answer.arrayBuffer();
      break;
    } catch {
      if (performance.now() - from > GIVE_UP) throw new Error(`${name} does not answer`);
      await Bun.sleep(0.5);
    }
  }
  const took = performance.now() - from;
  await started;
  run([...cli, ...remove, name]);
  return took;
}

export async function http(bench: Bench): Promise<void> {
  const row = addRow(
    bench,
    "http",
    "first answer",
    "from the start of run -d -p to the first HTTP answer on the port",
  );
  let port = 21_000;
  for (let round = 0; round < longRounds(bench); round++)
    for (const engine of bench.engines) addSample(row, engine.name, await firstAnswer(engine, port++));
  const count = scaled(bench, 500);
  const stalls = addRow(
    bench,
    "http",
    "stalls",
    `first answers of ${count} containers that took over ${STALL} ms`,
    "answers",
  );
  let late = 0;
  for (let at = 0; at < count; at++) if ((await firstAnswer(bench.engines[0]!, port++)) > STALL) late++;
  addSample(stalls, "bocker", late);
}
