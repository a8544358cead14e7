/** `run -d` of many, and their end. */
import { addRow, type Bench, IMAGE, longRounds, scaled } from "../bench.ts";
import { addSample } from "../measurement.ts";
import { isContained, pids, proportionalSize } from "../processes.ts";
import { run, timed } from "../program.ts";

const AT_ONCE = 8;

export async function detached(bench: Bench): Promise<void> {
  const count = scaled(bench, 50);
  const row = (name: string, what: string) => addRow(bench, "detached", name, what);
  const inARow = row("run -d in a row", `${count} times run -d IMAGE sleep, one after the other`);
  const parallel = row("run -d at once", `${count} times run -d IMAGE sleep, ${AT_ONCE} at a time`);
  const removal = row("rm -f", `one rm -f of ${count} that run`);
  const names = Array.from({ length: count }, (_, at) => `bench-${at}`);
  const loop = 'for name in $NAMES; do "$@" --name "$name" $IMAGE sleep 100000 || exit 1; done';
  const many = `printf '%s\\n' $NAMES | xargs -P ${AT_ONCE} -I NAME "$@" --name NAME $IMAGE sleep 100000`;
  const script = (text: string, cli: string[]) => [
    "sh",
    "-c",
    text.replace("$NAMES", names.join(" ")).replace("$IMAGE", IMAGE),
    "sh",
    ...cli,
    "run",
    "-d",
  ];
  for (let round = 0; round < longRounds(bench); round++)
    for (const { name, cli, remove } of bench.engines) {
      addSample(inARow, name, timed(script(loop, cli)));
      addSample(removal, name, timed([...cli, ...remove, ...names]));
      addSample(parallel, name, timed(script(many, cli)));
      run([...cli, ...remove, ...names]);
    }
}

export async function memory(bench: Bench): Promise<void> {
  const count = scaled(bench, 20);
  const what = "PSS of what runs for one detached container with a published port, itself not counted";
  const row = addRow(bench, "memory", "per container", what, "KiB");
  for (const { name, cli, remove, daemons } of bench.engines) {
    const before = new Set(pids());
    const containers = Array.from({ length: count }, (_, at) => `bench-${at}`);
    for (const container of containers)
      run([...cli, "run", "-d", "-p", "80", "--name", container, IMAGE, "sleep", "100000"]);
    await Bun.sleep(500);
    const added = pids().filter((pid) => !before.has(pid) && !isContained(pid) && !daemons.includes(pid));
    const total = added.map(proportionalSize).reduce((sum, size) => sum + size, 0);
    addSample(row, name, total / count);
    run([...cli, ...remove, ...containers]);
  }
}
