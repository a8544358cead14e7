/** `run --rm`: the command that everybody types. */
import { join } from "node:path";
import { addRow, type Bench, compare, forAll, IMAGE, scratch } from "../bench.ts";
import { bundleCommands } from "../bundles.ts";
import { floorCgroups } from "../floor.ts";

const LIMITS = ["-m", "64m", "--cpus", "1", "--pids-limit", "100"];

/** Flags of the three starts. Any free port: a fixed one may still be held by the engine before. */
export const FULL = ["-p", "80", "-v", "bench:/data", ...LIMITS];

export async function start(bench: Bench): Promise<void> {
  const floor = (network: string) => [
    bench.tools.floor,
    ...["run", network, scratch(bench, "floor"), bench.image],
    ...floorCgroups(),
  ];
  const row = (name: string, what: string) => addRow(bench, "start", name, what);

  const none = forAll(bench, () => ["run", "--rm", "--network", "none", IMAGE, "true"]);
  none.set("floor", floor("none"));
  compare(bench, row("run none", "run --rm --network none IMAGE true"), none);

  const bridge = forAll(bench, () => ["run", "--rm", IMAGE, "true"]);
  compare(bench, row("run bridge", "run --rm IMAGE true"), bridge);

  const full = forAll(bench, () => ["run", "--rm", ...FULL, IMAGE, "true"]);
  full.set("floor", floor("full"));
  compare(bench, row("run full", `run --rm ${FULL.join(" ")} IMAGE true`), full);

  const bundles = bundleCommands(bench, join(scratch(bench, "bundle")));
  if (bundles.size > 0) {
    const alone = "a bundle that is there: no image, no network, no records, no log; bocker does all of it";
    bundles.set("bocker", [...bench.engines[0]!.cli, "run", "--rm", "--network", "none", IMAGE, "true"]);
    compare(bench, row("runtime alone", alone), bundles);
  }
}
