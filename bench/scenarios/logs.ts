/** What a container prints: kept while it runs, and read afterwards. */
import { addRow, type Bench, IMAGE, longRounds, scaled } from "../bench.ts";
import { addSample } from "../measurement.ts";
import { run, timed } from "../program.ts";

const LINE = "a line as long as many of those that programs write into their logs, 80 bytes long";

export async function logs(bench: Bench): Promise<void> {
  const bytes = scaled(bench, 200_000_000);
  const megabytes = Math.round(bytes / 1e6);
  const written = addRow(
    bench,
    "logs",
    "log written",
    `run -d of a program that prints ${megabytes} MB, until it has ended`,
  );
  const read = addRow(bench, "logs", "log read", `logs of ${megabytes} MB`);
  const print = `yes '${LINE}' | head -c ${bytes}`;
  const toTheEnd = '"$@" run -d --name bench-log $IMAGE sh -c "$PRINT" && "$@" wait bench-log'
    .replace("$IMAGE", IMAGE)
    .replace("$PRINT", print);
  for (let round = 0; round < longRounds(bench); round++)
    for (const { name, cli } of bench.engines) {
      addSample(written, name, timed(["sh", "-c", toTheEnd, "sh", ...cli]));
      addSample(read, name, timed([...cli, "logs", "bench-log"]));
      run([...cli, "rm", "bench-log"]);
    }
}
