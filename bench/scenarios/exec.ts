/** `exec`: a second program in a container that runs. */
import { addRow, type Bench, compare, forAll, IMAGE } from "../bench.ts";
import { cgroupsOf } from "../floor.ts";
import { run } from "../program.ts";

export async function exec(bench: Bench): Promise<void> {
  const name = "bench-exec";
  for (const { cli } of bench.engines)
    run([...cli, "run", "-d", "--name", name, "--network", "none", IMAGE, "sleep", "100000"]);
  const commands = forAll(bench, () => ["exec", name, "true"]);
  const own = bench.engines[0]!;
  const pid = Number(run([...own.cli, "inspect", "-f", "{{.State.Pid}}", name]));
  commands.set("floor", [bench.tools.floor, "exec", String(pid), ...cgroupsOf(pid)]);
  compare(bench, addRow(bench, "exec", "exec", "exec CONTAINER true"), commands);
  for (const { cli, remove } of bench.engines) run([...cli, ...remove, name]);
}
